"""Nothing leaves the machine: runs are watched, and refused every connection but to loopback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from export.models import cache_folder
from stream.privacy import TELEMETRY_OFF, turn_telemetry_off

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "demo" / "talk.mp4"
GUARD = """
    # Read by Python before the program: refuses look-ups and connections to others, and notes them.
    import os, socket

    LOOPBACK = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "", None)

    def refuse(what):
        with open(os.environ["GUARD_LOG"], "a") as log:
            log.write(what + chr(10))
        raise OSError("refused by the guard: " + what)

    def guarded(name, host_of):
        original = getattr(socket.socket, name)
        def call(self, *arguments):
            if self.family in (socket.AF_INET, socket.AF_INET6):
                host = host_of(arguments)
                if host not in LOOPBACK:
                    refuse(f"{name} {host}")
            return original(self, *arguments)
        setattr(socket.socket, name, call)

    guarded("connect", lambda arguments: arguments[0][0])
    guarded("connect_ex", lambda arguments: arguments[0][0])
    guarded("sendto", lambda arguments: arguments[-1][0])
    lookup = socket.getaddrinfo
    def getaddrinfo(host, *arguments, **named):
        if (host.decode() if isinstance(host, bytes) else host) not in LOOPBACK:
            refuse(f"getaddrinfo {host}")
        return lookup(host, *arguments, **named)
    socket.getaddrinfo = getaddrinfo
"""

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
_INTERNET = re.compile(
    r'AF_INET6?, sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"'
)


class Watched:
    """A process in an empty home, under the guard, and under strace where there is one."""

    def __init__(self, folder: Path) -> None:
        self.home, self.log, self.trace = folder / "home", folder / "refused", folder / "trace"
        self.home.mkdir()
        (folder / "guard").mkdir()
        (folder / "guard" / "sitecustomize.py").write_text(textwrap.dedent(GUARD))
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if name not in TELEMETRY_OFF and not name.startswith(("HF_", "XDG_", "MPL"))
        } | {
            "HOME": str(self.home),
            "BEMERC_CACHE": str(cache_folder()),
            "GUARD_LOG": str(self.log),
            "PYTHONPATH": str(folder / "guard"),
        }

    def run(self, *arguments: str) -> str:
        """Run it to its end; gives what it printed."""
        strace = shutil.which("strace")
        watch = [strace, "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", self.trace]
        done = subprocess.run(
            [*(watch if strace else ()), sys.executable, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def contacted(self) -> list[str]:
        """Who but this machine was looked up, connected or sent to."""
        refused = self.log.read_text().splitlines() if self.log.exists() else []
        lines = self.trace.read_text(errors="replace").splitlines() if self.trace.exists() else []
        found = [match for line in lines for match in _INTERNET.findall(line)]
        others = [f"{host}:{port}" for port, host in found if not _is_here(host)]
        return refused + others

    @property
    def left_at_home(self) -> list[str]:
        """Files in the home that was empty."""
        files = (path for path in self.home.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.home)) for path in files)


def _is_here(host: str) -> bool:
    return host.startswith("127.") or host in ("::1", "0.0.0.0", "::")


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """Nothing has run in it yet."""
    return Watched(tmp_path)


def test_the_guard_sees_what_it_is_there_for(watched: Watched) -> None:
    """A look-up and a connection are refused and noted; those to loopback are not."""
    watched.run(
        "-c",
        "import socket, contextlib\n"
        "for go in (lambda: socket.getaddrinfo('telemetry.invalid', 80),\n"
        "           lambda: socket.create_connection(('192.0.2.1', 80), 1)):\n"
        "    with contextlib.suppress(OSError): go()\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    socket.create_connection(server.getsockname()).close()\n",
    )
    assert watched.contacted[:2] == ["getaddrinfo telemetry.invalid", "getaddrinfo 192.0.2.1"]


@needs_strace
def test_strace_sees_what_python_does_not(watched: Watched) -> None:
    """A library in C opens its own sockets."""
    watched.run(
        "-c",
        "import _socket\n"
        "s = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)\n"
        "s.sendto(b'x', ('127.0.0.2', 9))\n"
        "s.connect(('192.0.2.1', 9))\n",
    )
    assert watched.contacted == ["192.0.2.1:9"]


@pytest.mark.slow
def test_a_run_contacts_nobody_and_leaves_nothing(watched: Watched) -> None:
    """Words, voice, face and behaviour of a clip, with the embedded broker."""
    said = watched.run("run_live.py", "--file", str(CLIP))
    assert "utterances in" in said
    assert watched.contacted == []
    assert watched.left_at_home == []


@pytest.mark.slow
def test_a_training_contacts_nobody(watched: Watched) -> None:
    """Every step, on synthesised data; what matplotlib keeps of fonts is all that is left."""
    watched.run("-m", "training.run", "--smoke")
    assert watched.contacted == []
    assert [path for path in watched.left_at_home if "matplotlib" not in path] == []


@pytest.mark.parametrize(
    "command",
    [
        ("run_live.py", "--help"),
        pytest.param(("-m", "training.evaluate", "--help"), marks=pytest.mark.slow),
        pytest.param(("-m", "training.run", "--help"), marks=pytest.mark.slow),
        ("-m", "export.models", "--list"),
        ("-m", "export.bundle", "bundles/compact"),
        pytest.param(("-m", "benchmarks.live", "--help"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_commands_contact_nobody(watched: Watched, command: tuple[str, ...]) -> None:
    """Nor leave anything in an empty home."""
    watched.run(*command)
    assert watched.contacted == []
    assert [path for path in watched.left_at_home if "matplotlib" not in path] == []


@pytest.mark.parametrize("package", ["stream", "engine", "training", "export", "benchmarks"])
def test_every_package_turns_telemetry_off_first(watched: Watched, package: str) -> None:
    """When nothing but the package itself is imported, and nobody has set anything."""
    code = f"import {package}, os, sys; print(*(os.environ.get(n) for n in {list(TELEMETRY_OFF)}))"
    code += "; print('onnxruntime' in sys.modules, 'huggingface_hub' in sys.modules)"
    values, imported = watched.run("-c", code).splitlines()
    assert values.split() == list(TELEMETRY_OFF.values())
    assert imported == "False False"


def test_who_turned_telemetry_on_is_left_alone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The promise of this program holds in whatever environment it is started."""
    for name in TELEMETRY_OFF:
        monkeypatch.setenv(name, "0")
    turn_telemetry_off()
    assert {name: os.environ[name] for name in TELEMETRY_OFF} == TELEMETRY_OFF
