"""Small synthesised copies of MELD and IEMOCAP in the layouts of their releases.

Every clip is real media of a fraction of a second, so what reads the corpora reads these. The
faults of `FAULTS` can be done to any clip.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile

RATE = 16_000
FPS = 10
WIDTH, HEIGHT = 64, 48

MELD_COLUMNS = (
    "Sr No.",
    "Utterance",
    "Speaker",
    "Emotion",
    "Sentiment",
    "Dialogue_ID",
    "Utterance_ID",
    "Season",
    "Episode",
    "StartTime",
    "EndTime",
)

MELD_FOLDERS = {
    "train": "train/train_splits",
    "dev": "dev/dev_splits_complete",
    "test": "test/output_repeated_splits_test",
}

SECONDS = 0.6
"""Length of every sound utterance of the copies."""


def tone(seconds: float, peak: float = 0.3, rate: int = RATE) -> np.ndarray:
    """(N,) float32, 220 Hz."""
    times = np.arange(round(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * 220 * times)).astype(np.float32)


def write_media(
    path: Path,
    seconds: float = SECONDS,
    *,
    audio: bool = True,
    video: bool = True,
    peak: float = 0.3,
    fps: int = FPS,
    rate: int = RATE,
) -> Path:
    """An mp4 or avi with a moving bar and a tone; all of its pictures differ.

    The left half of each picture is darker than the right one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = path.suffix == ".avi"
    with av.open(str(path), "w") as container:
        if video:
            pictures = container.add_stream("mpeg4", rate=fps)
            pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            pictures.gop_size = fps  # a key frame every second, to cut from
        if audio:
            sound = container.add_stream("pcm_s16le" if pcm else "aac", rate=rate, layout="mono")
            if not pcm:
                sound.options = {"aac_coder": "fast"}
        if video:
            for index in range(round(seconds * fps)):
                for packet in pictures.encode(_picture(index)):
                    container.mux(packet)
            container.mux(pictures.encode(None))
        if audio:
            samples = tone(seconds, peak, rate)[None]
            format_ = "s16" if pcm else "fltp"
            values = (samples * 32767).astype(np.int16) if pcm else samples
            for start in range(0, samples.shape[1], 1024):
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(values[:, start : start + 1024]), format_, "mono"
                )
                frame.sample_rate, frame.pts = rate, start
                frame.time_base = Fraction(1, rate)
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def _picture(index: int) -> av.VideoFrame:
    image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    image[:, WIDTH // 2 :] = 180
    image[:, (3 * index) % WIDTH :][:, :6] = 255
    image[:, :, 1] += np.random.default_rng(index).integers(0, 40, (HEIGHT, WIDTH), np.uint8) // 2
    return av.VideoFrame.from_ndarray(image, format="rgb24")


def write_wav(path: Path, seconds: float = SECONDS, *, peak: float = 0.3) -> Path:
    """A mono wav of 16 bits, as IEMOCAP has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(seconds, peak), RATE, subtype="PCM_16")
    return path


@dataclass(frozen=True)
class MeldRow:
    """One utterance of a MELD csv."""

    dialogue: int
    utterance: int
    emotion: str = "neutral"
    seconds: float = SECONDS
    """By the csv."""

    @property
    def file(self) -> str:
        """Name of its clip."""
        return f"dia{self.dialogue}_utt{self.utterance}.mp4"


MELD_ROWS: Mapping[str, tuple[MeldRow, ...]] = {
    "train": (MeldRow(0, 0, "joy"), MeldRow(0, 1), MeldRow(0, 3, "anger"), MeldRow(2, 0, "fear")),
    "dev": (MeldRow(0, 0), MeldRow(0, 1, "sadness"), MeldRow(1, 0, "disgust")),
    "test": (MeldRow(0, 0, "surprise"), MeldRow(0, 1)),
}
"""What a copy has unless told otherwise; utterance 2 of train's dialogue 0 does not exist."""


def make_meld(
    folder: Path,
    rows: Mapping[str, tuple[MeldRow, ...]] = MELD_ROWS,
    *,
    clips: bool = True,
    deeper: bool = False,
) -> Path:
    """A copy of MELD.

    Args:
        folder: To be made.
        rows: Utterances by split.
        clips: Whether the raw clips are there.
        deeper: Whether everything was unpacked one folder deeper.
    """
    root = folder / "MELD.Raw" if deeper else folder
    root.mkdir(parents=True)
    template = write_media(folder / "template.mp4") if clips else None
    for split, utterances in rows.items():
        write_meld_csv(root / f"{split}_sent_emo.csv", utterances)
        clip_folder = root / MELD_FOLDERS[split]
        if deeper:
            clip_folder /= clip_folder.name
        if template is not None:
            clip_folder.mkdir(parents=True)
            for row in utterances:
                shutil.copyfile(template, clip_folder / row.file)
    if template is not None:
        template.unlink()
    return folder


def write_meld_csv(path: Path, rows: tuple[MeldRow, ...]) -> Path:
    """A csv in MELD's layout."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(MELD_COLUMNS)
        for number, row in enumerate(rows, start=1):
            milliseconds = round(row.seconds * 1000)
            minutes, rest = divmod(milliseconds, 60_000)
            end = f"00:{1 + minutes:02}:{rest // 1000:02},{rest % 1000:03}"
            cells = (f"Line {number}.", "Ross", row.emotion, "neutral", row.dialogue)
            writer.writerow((number, *cells, row.utterance, 8, 21, "00:01:00,000", end))
    return path


@dataclass(frozen=True)
class IemocapLine:
    """One utterance of an IEMOCAP recording."""

    name: str
    """After the recording's: `F000`."""
    code: str
    start: float
    seconds: float = SECONDS

    @property
    def end(self) -> float:
        """Seconds from the start of the recording."""
        return self.start + self.seconds


IEMOCAP_LINES: Mapping[str, tuple[IemocapLine, ...]] = {
    "Ses01F_impro01": (  # dev
        IemocapLine("F000", "neu", 0.2),
        IemocapLine("M000", "fru", 0.9),
    ),
    "Ses01M_script01_1": (  # train
        IemocapLine("M000", "ang", 0.1),
        IemocapLine("F000", "xxx", 0.8),
        IemocapLine("M001", "exc", 1.5),
        IemocapLine("F001", "hap", 2.2),
    ),
    "Ses05M_script01_1b": (  # test
        IemocapLine("F000", "sad", 0.4),
        IemocapLine("M000", "sur", 1.1),
    ),
}
"""What a copy has: recordings with their utterances."""


def make_iemocap(
    folder: Path, lines: Mapping[str, tuple[IemocapLine, ...]] = IEMOCAP_LINES
) -> Path:
    """A copy of IEMOCAP in the layout of its release."""
    for dialogue, utterances in lines.items():
        session = folder / f"Session{dialogue[4]}"
        write_iemocap_texts(session, dialogue, utterances)
        seconds = max(line.end for line in utterances) + 0.5
        write_media(session / "dialog" / "avi" / "DivX" / f"{dialogue}.avi", seconds)
        for line in utterances:
            name = f"{dialogue}_{line.name}"
            write_wav(session / "sentences" / "wav" / dialogue / f"{name}.wav", line.seconds)
    return folder


def write_iemocap_texts(
    session: Path, dialogue: str, utterances: tuple[IemocapLine, ...]
) -> tuple[Path, Path]:
    """The evaluation, by speaker as in the release, and the transcription, by time."""
    evaluation = session / "dialog" / "EmoEvaluation" / f"{dialogue}.txt"
    transcript = session / "dialog" / "transcriptions" / f"{dialogue}.txt"
    for path in (evaluation, transcript):
        path.parent.mkdir(parents=True, exist_ok=True)
    blocks = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"]
    for line in sorted(utterances, key=lambda line: line.name):
        blocks.append(
            f"[{line.start:.4f} - {line.end:.4f}]\t{dialogue}_{line.name}\t{line.code}"
            "\t[2.5000, 2.5000, 2.5000]\nC-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n"
        )
    evaluation.write_text("\n".join(blocks), encoding="utf-8")
    words = [
        f"{dialogue}_{line.name} [{line.start:08.4f}-{line.end:08.4f}]: Words of {line.name}.\n"
        for line in sorted(utterances, key=lambda line: line.start)
    ]
    words.insert(1, f"{dialogue}_FXX0 [000.1000-000.2000]: Mm.\nF: Yes.\n")
    transcript.write_text("".join(words), encoding="utf-8")
    return evaluation, transcript


def _overwrite(path: Path) -> None:
    """Noise where pictures and sound are; the index stays whole."""
    content = bytearray(path.read_bytes())
    start = content.find(b"mdat") + 4 if b"mdat" in content else content.find(b"movi") + 4
    stop = content.rfind(b"moov") - 4 if b"moov" in content else content.rfind(b"idx1")
    if path.suffix == ".wav":
        start, stop = 0, 44
    noise = np.random.default_rng(0).integers(0, 256, stop - start, np.uint8)
    content[start:stop] = noise.tobytes()
    path.write_bytes(content)


def _cut_off(path: Path) -> None:
    """The second half of the file is gone, as after a broken download."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _write(path: Path, **options: object) -> None:
    """The same kind of file, written with something missing."""
    if path.suffix == ".wav":
        write_wav(path, **options)  # type: ignore[arg-type]
    else:
        write_media(path, **options)  # type: ignore[arg-type]


FAULTS: Mapping[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "no bytes": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("<html>404 Not Found</html>", encoding="utf-8"),
    "overwritten": _overwrite,
    "cut off": _cut_off,
    "silent": lambda path: _write(path, peak=0.0),
    "no audio": lambda path: _write(path, audio=False),
    "no video": lambda path: _write(path, video=False),
    "too long": lambda path: _write(path, seconds=SECONDS + 1.5),
}
"""What can be done to a clip, by name."""
