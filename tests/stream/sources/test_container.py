"""Opening a container, and saying in one line why it cannot be read."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from media_factory import grey, moving, tone, write_media

from stream.errors import UserError
from stream.sources.container import Location, open_media


def _open(path: Path, *, audio: bool = True, video: bool = True) -> tuple[bool, bool]:
    media = open_media(Location.of_file(path), audio=audio, video=video)
    media.container.close()
    return media.audio is not None, media.video is not None


def _refusal(location: Location, *, audio: bool = True) -> str:
    with pytest.raises(UserError) as raised:
        open_media(location, audio=audio, video=True)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_sound_and_pictures_are_found(tmp_path: Path) -> None:
    """A usual file has both."""
    path = write_media(tmp_path / "talk.mp4", pictures=moving(1), sound=tone(1))
    assert _open(path) == (True, True)
    assert _open(path, audio=False) == (False, True)
    assert _open(path, video=False) == (True, False)


def test_a_recording_without_pictures_is_welcome(tmp_path: Path) -> None:
    """Sound alone is enough."""
    path = write_media(tmp_path / "talk.wav", sound=tone(1), audio_codec="pcm_s16le")
    assert _open(path) == (True, False)


def test_a_file_without_sound_names_the_option_to_use(tmp_path: Path) -> None:
    """--no-audio is the next step, and it works."""
    path = write_media(tmp_path / "mute.mp4", pictures=moving(1))
    assert "no audio track; use --no-audio" in _refusal(Location.of_file(path))
    assert _open(path, audio=False) == (False, True)


def test_sound_alone_with_sound_switched_off_says_so(tmp_path: Path) -> None:
    """Nothing would be left to look at."""
    path = write_media(tmp_path / "talk.wav", sound=tone(1), audio_codec="pcm_s16le")
    assert "leave out --no-audio" in _refusal(Location.of_file(path), audio=False)


def test_a_missing_file_is_named() -> None:
    """The path is shown as it was given."""
    assert _refusal(Location.of_file(Path("no/such.mp4"))) == (
        "no file no/such.mp4; check the path"
    )


def test_a_folder_is_named(tmp_path: Path) -> None:
    """A folder is no medium."""
    assert "is a folder" in _refusal(Location.of_file(tmp_path))


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, this is text\n" * 200, b"\x00" * 5000, bytes(range(256)) * 40],
    ids=["empty", "text", "zeros", "bytes"],
)
def test_a_file_that_is_no_media_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever is in it, the message says what to do."""
    path = tmp_path / "talk.mp4"
    path.write_bytes(content)
    assert "no readable audio or video" in _refusal(Location.of_file(path))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_file_cut_off_in_its_header_is_refused(tmp_path: Path, suffix: str) -> None:
    """A download that broke off early is told from a usable file."""
    path = write_media(tmp_path / f"talk.{suffix}", pictures=moving(1), sound=tone(1))
    path.write_bytes(path.read_bytes()[:200])
    assert "cut off" in _refusal(Location.of_file(path))


def test_a_name_that_looks_like_an_address_is_still_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A colon in a file name does not send FFmpeg to a network."""
    monkeypatch.chdir(tmp_path)
    write_media(tmp_path / "talk.wav", sound=tone(1), audio_codec="pcm_s16le")
    odd = (tmp_path / "talk.wav").rename(tmp_path / "tcp:127.0.0.1.wav")
    assert _open(Path(odd.name)) == (True, False)


def test_a_playlist_reaches_no_network(tmp_path: Path) -> None:
    """A file from a stranger must not make requests."""
    asked: list[bytes] = []

    async def scenario() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.read(100))
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        path = tmp_path / "talk.m3u8"
        path.write_text(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n"
            f"http://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n"
        )
        async with server:
            with pytest.raises(UserError):
                await asyncio.to_thread(_open, path)

    asyncio.run(scenario())
    assert asked == []


def test_an_absurdly_large_picture_is_refused(tmp_path: Path) -> None:
    """A header that claims a quarter of a gigapixel is not believed."""
    path = tmp_path / "huge.mkv"
    write_media(path, pictures=[(0.0, grey(9, 320, 272))], video_codec="ffv1")
    content = path.read_bytes()
    # Matroska's PixelWidth and PixelHeight (RFC 9559), here in two bytes each.
    for tag, size in ((b"\xb0\x82", 320), (b"\xba\x82", 272)):
        assert content.count(tag + size.to_bytes(2)) == 1
        content = content.replace(tag + size.to_bytes(2), tag + (16_000).to_bytes(2))
    path.write_bytes(content)
    assert "pictures of 16000x16000, which is too large" in _refusal(
        Location.of_file(path), audio=False
    )


def test_an_address_nobody_listens_at_is_refused() -> None:
    """The message shows the address without the password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = _refusal(Location.of_rtsp(f"rtsp://ann:secret@127.0.0.1:{port}/door"))
    assert message.startswith(f"cannot reach rtsp://127.0.0.1:{port}/door; check")


def test_a_server_that_never_answers_is_given_up() -> None:
    """The wait is bounded."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        location = Location.of_rtsp(f"rtsp://127.0.0.1:{port}/door", timeout_seconds=0.3)
        assert "did not answer within 0.3 s" in _refusal(location)
