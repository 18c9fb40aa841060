"""The teachers by name; each is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stream.errors import UserError
from training.describe.teacher import Teacher
from training.recipe import Recipe

DEFAULT_FRAMES = 8
FRAMES = {"measured": 24}
"""Where a teacher needs another number: nods and gestures take a few pictures a second."""


@dataclass(frozen=True)
class TeacherOptions:
    """Which teacher, and what it is shown."""

    kind: str
    """Key of `TEACHERS`."""
    model: str = ""
    """Of the vision teacher, or on the server."""
    url: str = ""
    """Of the server, up to and with `/v1`."""
    frames: int = DEFAULT_FRAMES
    """Pictures of an utterance, at most."""
    batch: int | None = None
    """Utterances at once; None: as the teacher likes it."""
    device: str = ""
    """Of torch, for the vision teacher; empty: the GPU where there is one."""

    def __post_init__(self) -> None:
        """Refuse what no teacher works with.

        Raises:
            UserError: Naming the flag.
        """
        if self.kind not in TEACHERS:
            raise UserError(
                f"no teacher {self.kind!r}: give --teacher {', --teacher '.join(TEACHERS)}, "
                "or teacher.kind in the recipe"
            )
        if self.kind in ("vision", "server") and not self.model:
            raise UserError(f"the {self.kind} teacher has no model: name it with --model")
        if self.kind == "server" and not self.url:
            raise UserError(
                "the server teacher has no address: give --url, such as http://localhost:8000/v1"
            )
        if self.device and self.kind != "vision":
            raise UserError(f"--device is of the vision teacher, not of {self.kind}: leave it out")
        if self.frames < 1 or (self.batch is not None and self.batch < 1):
            raise UserError("--frames and --batch: at least 1")

    @classmethod
    def of(cls, recipe: Recipe, **changes: str | int | None) -> TeacherOptions:
        """A recipe's teacher, with other values where they are not None.

        Raises:
            UserError: Neither names a teacher, or something is missing.
        """
        settings = recipe.settings.teacher
        given = {name: value for name, value in changes.items() if value is not None}
        kind = given.get("kind", settings.kind)
        same = kind == settings.kind
        known = {
            "kind": kind,
            "model": settings.model if same else "",
            "url": settings.url if same else "",
            "frames": settings.frames or FRAMES.get(str(kind), DEFAULT_FRAMES),
        }
        values: dict[str, object] = {**known, **given}
        return cls(**values)  # type: ignore[arg-type]


def open_teacher(options: TeacherOptions) -> Teacher:
    """Load a model, or get ready to ask a server.

    Raises:
        UserError: There is no such model, or the address is none.
    """
    return TEACHERS[options.kind](options)


def _measured(options: TeacherOptions) -> Teacher:
    from training.describe.measured import MeasuredTeacher

    return MeasuredTeacher.load()


def _prosody(options: TeacherOptions) -> Teacher:
    from training.describe.prosody import ProsodyTeacher

    return ProsodyTeacher()


def _vision(options: TeacherOptions) -> Teacher:
    from training.describe.vision import VisionTeacher

    batch, device = options.batch or 8, options.device or None
    return VisionTeacher.load(options.model, batch=batch, device=device)


def _server(options: TeacherOptions) -> Teacher:
    from training.describe.server import ServerOptions, ServerTeacher

    return ServerTeacher(options.url, options.model, ServerOptions(concurrency=options.batch or 16))


TEACHERS: Mapping[str, Callable[[TeacherOptions], Teacher]] = MappingProxyType(
    {"measured": _measured, "prosody": _prosody, "vision": _vision, "server": _server}
)

REMEMBERING = frozenset({"measured", "prosody"})
"""Teachers whose answer depends on the utterances before in the same dialogue."""

HEARING = frozenset({"prosody"})
"""Teachers that are given measures of the voice and no pictures."""
