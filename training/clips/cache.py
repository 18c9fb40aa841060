"""Files named by what they were made from: written whole or not at all, found again anywhere.

A key covers the bytes of the media, the cut and every number that the entry depends on. So a
corpus may be moved, several processes may fill one cache, and nothing in it is ever stale.
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from engine.model.spec import AudioSpec, ModelSpec, VideoSpec
from stream.errors import UserError
from training.datasets.clip import Clip, MediaCut

FORMAT = 5
"""Of entries; raised whenever the same clip and numbers would give other arrays."""


@dataclass(frozen=True, eq=False)
class Entry:
    """Content of a file of the cache."""

    tensors: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, str]


class EntryStore:
    """Entries by key, a safetensors file each.

    Args:
        folder: Where; made when the first entry is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, key: str) -> Path:
        """Where the entry of a key is or would be; folders of 256 keep directories small."""
        return self.folder / key[:2] / f"{key}.safetensors"

    def read(self, key: str) -> Entry | None:
        """The entry of a key; None where there is none, or a damaged one."""
        return self._open(key, lambda file: {name: file.get_tensor(name) for name in file.keys()})

    def read_metadata(self, key: str) -> Mapping[str, str] | None:
        """Only what was noted beside the tensors; None where `read` gives None."""
        entry = self._open(key, lambda file: {})
        return None if entry is None else entry.metadata

    def write(self, key: str, entry: Entry) -> None:
        """Write an entry, replacing one that is there.

        Raises:
            UserError: The disk is full or the folder cannot be written.
        """
        path = self.path(key)
        partial = path.with_name(f".{key}.{os.getpid()}.partial")
        # Serialised first: the library's own writer hides why a write failed.
        content = save(dict(entry.tensors), dict(entry.metadata))
        with writing(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_bytes(content)
                os.replace(partial, path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise

    def _open(self, key: str, load: Callable[[Any], dict[str, NDArray[Any]]]) -> Entry | None:
        try:
            with safe_open(self.path(key), framework="numpy") as file:
                return Entry(load(file), file.metadata() or {})
        except (FileNotFoundError, SafetensorError):
            return None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn a failed write below a folder into a message.

    Raises:
        UserError: The disk is full or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remedy = (
            "free some space or choose another --cache"
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            else "check its permissions or choose another --cache"
        )
        raise UserError(
            f"{folder}: {reason.lower()}; {remedy} and start again: what is done is kept"
        ) from error


def clip_key(
    clip: Clip, spec: ModelSpec, digest: Callable[[Path], str], seconds: float | None = None
) -> str:
    """Name of what the encoders see and hear of a clip, 64 hexadecimal digits.

    Args:
        clip: Pictures and sound.
        spec: Only the numbers that matter before the encoders count.
        digest: Hash of a file's bytes.
        seconds: Length by the corpus's times: a clip of another length is left out.
    """
    parts = {
        "format": FORMAT,
        "seconds": seconds,
        "video": {**_video_numbers(spec.video), "of": _cut(clip.video, digest), "side": clip.side},
        "audio": {**_audio_numbers(spec.audio), "of": _cut(clip.audio, digest)},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _cut(cut: MediaCut | None, digest: Callable[[Path], str]) -> list[Any] | None:
    return None if cut is None else [digest(cut.path), cut.start, cut.end]


def _video_numbers(spec: VideoSpec) -> dict[str, Any]:
    names = ["source", "size", "frames"]
    names += ["face_scale", "face_offset"] if spec.source == "face" else []
    numbers = {name: getattr(spec, name) for name in names}
    return {**numbers, "channels": spec.densenet.in_channels}


def _audio_numbers(spec: AudioSpec) -> dict[str, Any]:
    numbers = dataclasses.asdict(spec)
    del numbers["hidden"]  # of the network that comes after
    return numbers


def weights_digest(tensors: Mapping[str, NDArray[np.generic]], *numbers: float | bool) -> str:
    """Name of a network: its tensors by name, and the numbers that its input is scaled with."""
    digest = hashlib.sha256(json.dumps([FORMAT, *numbers]).encode())
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        digest.update(f"{name} {value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()[:32]
