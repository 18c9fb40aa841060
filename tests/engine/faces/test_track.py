"""Tests of choosing the face of an utterance and cutting it out of every frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engine.faces import (
    Box,
    FaceDetector,
    FaceFollower,
    TrackedFace,
    cut_face,
    main_person,
    track_faces,
)
from engine.faces.follower import RETRY_SECONDS
from stream.media import Image, VideoFrame

SIZE = 48


def scene(*people: tuple[Image, float, int, int], height: int = 360, width: int = 900) -> Image:
    """People in a wide room: picture, scale, left and upper edge of each."""
    room = np.full((height, width, 3), 90, np.uint8)
    for image, scale, x, y in people:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        part = room[y : y + small.shape[0], x : x + small.shape[1]]
        part[:] = small[: part.shape[0], : part.shape[1]]
    return room


def shown(frames: list[VideoFrame], *indices: int) -> list[VideoFrame]:
    """The same frames, black at some places."""
    return [
        VideoFrame(frame.time, frame.image * (index not in indices))
        for index, frame in enumerate(frames)
    ]


def test_every_frame_of_a_talking_face_has_a_crop(
    detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """All frames have a crop of the asked size and of good quality."""
    track = track_faces(clip, detector, SIZE)
    assert len(track.crops) == len(clip)
    assert track.quality > 0.7
    for crop in track.crops:
        assert crop is not None
        assert crop.image.shape == (SIZE, SIZE, 3)
        assert 0 < crop.quality <= 1


def test_a_black_video_has_no_crops(detector: FaceDetector, clip: list[VideoFrame]) -> None:
    """Without a face there is nothing, and the quality says so."""
    track = track_faces(shown(clip, *range(len(clip))), detector, SIZE)
    assert track.crops == (None,) * len(clip)
    assert track.quality == 0


def test_no_frames_and_one_frame(detector: FaceDetector, clip: list[VideoFrame]) -> None:
    """An utterance without video is empty; one of a single frame works."""
    assert track_faces([], detector, SIZE).crops == ()
    assert track_faces([], detector, SIZE).quality == 0
    (crop,) = track_faces(clip[:1], detector, SIZE).crops
    assert crop is not None


def test_a_short_miss_is_a_miss(detector: FaceDetector, clip: list[VideoFrame]) -> None:
    """A few dark frames have no crop; those on both sides have, without any delay."""
    track = track_faces(shown(clip[:20], 9, 10, 11), detector, SIZE)
    assert {index for index, crop in enumerate(track.crops) if crop is None} == {9, 10, 11}


def test_after_a_long_miss_the_face_is_found_again(
    detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """A face hidden for a second is back soon after; the quality counts what was missed."""
    dark = range(8, 32)
    track = track_faces(shown(clip[:40], *dark), detector, SIZE)
    missing = [index for index, crop in enumerate(track.crops) if crop is None]
    assert missing == list(range(8, len(missing) + 8))
    assert len(dark) <= len(missing) <= len(dark) + 24 * RETRY_SECONDS
    assert 0.2 < track.quality < 0.6


def test_the_first_frames_do_not_depend_on_the_rest(
    detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """An utterance cut short has the same crops."""
    longer, shorter = (track_faces(clip[:count], detector, SIZE).crops for count in (16, 8))
    for one, other in zip(longer[:8], shorter, strict=True):
        assert one is not None
        assert other is not None
        assert one.box == other.box
        np.testing.assert_array_equal(one.image, other.image)


def test_a_live_follower_gives_the_same_crops(
    detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """Frame by frame, with `cut_face`, as in one call for all of them."""
    follower = FaceFollower(detector)
    track = track_faces(clip[:12], detector, SIZE)
    for frame, crop in zip(clip, track.crops, strict=False):
        (face,) = follower(frame)
        live = cut_face(frame.image, face, SIZE)
        assert crop is not None
        assert (live.box, live.quality) == (crop.box, crop.quality)
        np.testing.assert_array_equal(live.image, crop.image)


def test_the_main_person_is_near_and_long_in_sight() -> None:
    """Area and score add up over the frames; of equals the first; nobody without faces."""

    def sighting(person: int, side: float, score: float) -> TrackedFace:
        return TrackedFace(person, Box(0, 0, side, side), score, 0.0)

    assert main_person([]) is None
    assert main_person([sighting(1, 20, 0.9), sighting(2, 30, 0.9)]) == 2
    assert main_person([sighting(1, 20, 0.9)] * 3 + [sighting(2, 30, 0.9)]) == 1
    assert main_person([sighting(1, 30, 0.5), sighting(2, 30, 0.9)]) == 2
    assert main_person([sighting(2, 30, 0.9), sighting(1, 30, 0.9)]) == 1


def test_the_largest_face_is_the_participant(
    detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """Of two people the nearer one is followed, wherever it stands."""
    for near, far in ((0, 600), (330, 0)):
        frames = [
            VideoFrame(frame.time, scene((frame.image, 0.9, near, 0), (frame.image, 0.45, far, 90)))
            for frame in clip[:12:3]
        ]
        track = track_faces(frames, detector, SIZE)
        for crop in track.crops:
            assert crop is not None
            assert crop.box.centre[0] == pytest.approx(near + 0.9 * 450, abs=40)


def test_another_person_is_never_taken_instead(
    detector: FaceDetector, clip: list[VideoFrame]
) -> None:
    """When the participant leaves, the crops end although somebody else stays in view."""
    image = clip[0].image
    both = scene((image, 0.7, 0, 0), (image, 0.5, 460, 90))
    alone = scene((image, 0.5, 460, 90))
    frames = [VideoFrame(index / 10, both if index < 20 else alone) for index in range(30)]
    track = track_faces(frames, detector, SIZE)
    assert all(crop is not None for crop in track.crops[:20])
    assert all(crop is None for crop in track.crops[20:])


def test_a_moving_face_is_followed(detector: FaceDetector, clip: list[VideoFrame]) -> None:
    """A face that crosses the picture has crops all the way, and boxes that move with it."""
    frames = [
        VideoFrame(index / 12, scene((clip[0].image, 0.6, 20 * index, 60))) for index in range(24)
    ]
    track = track_faces(frames, detector, SIZE)
    middles = [crop.box.centre[0] for crop in track.crops if crop is not None]
    assert len(middles) == len(frames)
    np.testing.assert_allclose(np.diff(middles)[3:-3], 20, atol=6)
