"""Decoded pictures made upright, bounded in size and not too many."""

from __future__ import annotations

import gc
import struct
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_factory import grey, quadrants, write_media

from stream.media import Image, VideoFrame
from stream.sources.container import Location
from stream.sources.pictures import MAX_SIDE, FrameLimiter, Upright, picture_size
from stream.sources.reader import MediaReader


def _first_picture(path: Path) -> Image:
    with av.open(path) as container:
        track = container.streams.video[0]
        return Upright()(next(container.decode(track)), float(track.sample_aspect_ratio or 1))


@pytest.mark.parametrize("mirrored", [False, True], ids=["plain", "mirrored"])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_phone_video_is_turned_upright(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    """The picture is turned, and mirrored, as the display matrix of the file says."""
    path = tmp_path / "phone.mp4"
    write_media(path, pictures=[(0.0, quadrants())], rotation=rotation, mirrored=mirrored)
    turned = np.rot90(quadrants(), rotation // 90)
    expected = turned[:, ::-1] if mirrored else turned
    image = _first_picture(path)
    assert image.shape == expected.shape
    height, width = image.shape[:2]
    for row in (5, height - 6):
        for column in (5, width - 6):
            np.testing.assert_allclose(image[row, column], expected[row, column], atol=12)


_ORIENTATIONS = {
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).transpose(1, 0, 2),
    8: np.rot90,
}
"""How a stored picture is made upright, by its orientation in EXIF (JEITA CP-3451, 4.6.4)."""


def _with_exif(jpeg: bytes, orientation: int) -> bytes:
    """A JPEG file with an APP1 segment that holds nothing but an orientation."""
    entry = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + entry
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize("orientation", list(_ORIENTATIONS))
def test_a_photograph_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    """As its EXIF data say, in each of the eight ways."""
    plain = write_media(tmp_path / "plain.jpg", pictures=[(0.0, quadrants())], video_codec="mjpeg")
    path = tmp_path / "phone.jpg"
    path.write_bytes(_with_exif(plain.read_bytes(), orientation))
    expected = _ORIENTATIONS[orientation](quadrants())
    image = _first_picture(path)
    assert image.shape == expected.shape
    height, width = image.shape[:2]
    for row in (5, height - 6):
        for column in (5, width - 6):
            np.testing.assert_allclose(image[row, column], expected[row, column], atol=12)


def test_a_camera_that_writes_exif_beside_every_picture_is_read(tmp_path: Path) -> None:
    """Side data of a kind that PyAV has no name for cost no picture."""
    with av.open(tmp_path / "camera.avi", "w") as container:
        track = container.add_stream("mjpeg", rate=10)
        track.width, track.height, track.pix_fmt = 64, 48, "yuvj420p"
        frame = av.VideoFrame.from_ndarray(quadrants(), format="rgb24")
        for number in range(10):
            frame.pts, frame.time_base = number, Fraction(1, 10)
            for packet in track.encode(frame):
                exif = av.Packet(_with_exif(bytes(packet), 3))
                exif.pts, exif.dts, exif.time_base = packet.pts, packet.dts, packet.time_base
                exif.stream, exif.is_keyframe = track, True
                container.mux(exif)
    with closing(MediaReader(Location.of_file(tmp_path / "camera.avi"), audio=False)) as reader:
        frames = [item for item in reader if isinstance(item, VideoFrame)]
    assert (len(frames), reader.skipped_packets) == (10, 0)
    for frame_ in frames:
        np.testing.assert_allclose(frame_.image[5, 5], np.rot90(quadrants(), 2)[5, 5], atol=12)


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"),
    [
        ("png", "png", "rgb24"),
        ("png", "png", "rgba"),
        ("png", "png", "rgb48be"),
        ("png", "png", "gray"),
        ("png", "png", "gray16be"),
        ("png", "png", "ya8"),
        ("bmp", "bmp", "bgr24"),
        ("gif", "gif", "rgb8"),
        ("tiff", "tiff", "rgb24"),
        ("jpg", "mjpeg", "yuvj444p"),
        ("webp", "libwebp", "yuv420p"),
        ("mkv", "ffv1", "yuv420p10le"),
        ("mkv", "libx264", "yuv422p10le"),
    ],
)
def test_pictures_of_any_usual_kind_are_read(
    tmp_path: Path, suffix: str, codec: str, pixels: str
) -> None:
    """Grey or in colour, with 8 to 16 bits, with and without transparency, of odd sizes."""
    path = tmp_path / f"face.{suffix}"
    width, height = (64, 48) if "42" in pixels else (63, 47)
    source = av.VideoFrame.from_ndarray(quadrants(width, height), format="rgb24")
    with av.open(path, "w") as container:
        track = container.add_stream(codec, rate=1)
        track.width, track.height, track.pix_fmt = width, height, pixels
        frame = source.reformat(format=pixels)
        frame.pts, frame.time_base = 0, Fraction(1)
        container.mux(track.encode(frame))
        container.mux(track.encode())
    image = _first_picture(path)
    assert image.shape == (height, width, 3)
    seen = image[5, 5].astype(int)
    expected = (76, 76, 76) if pixels.startswith(("gray", "ya")) else (255, 0, 0)
    np.testing.assert_allclose(seen, expected, atol=40)


def frames_alive() -> int:
    """Decoded frames that something holds, or that wait for the garbage collector."""
    return sum(type(one) is av.VideoFrame for one in gc.get_objects())


def test_pictures_are_freed_at_once(tmp_path: Path) -> None:
    """A frame that waits for the garbage collector keeps its decoder's memory, for hundreds."""
    pictures = [(number / 25, quadrants()) for number in range(12)]
    path = write_media(tmp_path / "phone.mp4", pictures=pictures, rotation=90)
    upright = Upright()
    gc.collect()
    before = frames_alive()
    gc.disable()
    try:
        with av.open(path) as container:
            for frame in container.decode(video=0):
                upright(frame)
            waiting = frames_alive() - before
    finally:
        gc.enable()
    assert waiting <= 4  # the first, whose matrix was read, the last, and what PyAV keeps


def test_a_picture_without_a_matrix_stays_as_it_is(tmp_path: Path) -> None:
    """Most videos are not turned at all."""
    path = write_media(tmp_path / "plain.mp4", pictures=[(0.0, quadrants())])
    np.testing.assert_allclose(_first_picture(path)[5, 5], (255, 0, 0), atol=12)


def test_a_large_picture_is_scaled_down(tmp_path: Path) -> None:
    """Full HD becomes 640 wide, in proportion."""
    path = write_media(tmp_path / "hd.mp4", pictures=[(0.0, grey(90, 1920, 1080))])
    assert _first_picture(path).shape == (360, 640, 3)


def test_pixels_that_are_not_square_are_evened_out(tmp_path: Path) -> None:
    """An anamorphic recording would show every face too narrow."""
    path = tmp_path / "wide.mp4"
    write_media(path, pictures=[(0.0, grey(90, 64, 48))], pixel_aspect=Fraction(2))
    assert _first_picture(path).shape == (48, 128, 3)


@given(st.integers(1, 16_384), st.integers(1, 16_384), st.floats(0, 1e6))
def test_no_side_is_ever_too_long_or_empty(width: int, height: int, aspect: float) -> None:
    """Whatever a file claims, the picture fits the bound."""
    scaled = picture_size(width, height, aspect)
    assert 1 <= min(scaled)
    assert max(scaled) <= MAX_SIDE


def _passed(times: list[float]) -> list[float]:
    limiter = FrameLimiter(15)
    return [time for time in times if limiter.passes(time)]


@pytest.mark.parametrize("fps", [5, 12.5, 15])
def test_no_picture_is_left_out_below_the_limit(fps: float) -> None:
    """Timestamps rounded to a millisecond do not cost pictures."""
    times = [round(n / fps, 3) for n in range(200)]
    assert _passed(times) == times


@pytest.mark.parametrize("fps", [30, 60, 120])
def test_a_multiple_of_the_limit_is_thinned_evenly(fps: int) -> None:
    """Every second, fourth or eighth picture passes, with rounded timestamps too."""
    passed = _passed([round(n / fps, 3) for n in range(10 * fps)])
    assert len(passed) == pytest.approx(150, abs=1)
    assert np.ptp(np.diff(passed[1:])) < 0.003


@given(st.lists(st.floats(0, 20), max_size=400).map(sorted))
def test_never_more_pictures_than_the_limit(times: list[float]) -> None:
    """A variable frame rate is limited by the clock."""
    passed = np.array(_passed(times))
    for start in range(20):
        assert np.sum((passed >= start) & (passed < start + 1)) <= 16
