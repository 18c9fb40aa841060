"""Tests of the hub path: the real client against a hub on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "c" * 40
SAFE = {"config.json": b"{}", "model.safetensors": b"weights", "tokenizer.json": b"{}"}
UNSAFE = {"pytorch_model.bin": b"pickle", "modeling.py": b"raise SystemExit"}
REPOSITORIES = {"org/safe": {**SAFE, **UNSAFE}, "org/pickled": {"config.json": b"{}", **UNSAFE}}


def describe(name: str, files: Mapping[str, bytes], *, tree: bool) -> object:
    """What the hub says of a repository: its tree, which newer clients ask for, or all."""
    if tree:
        return [
            {"type": "file", "path": path, "size": len(content), "oid": "0" * 40}
            for path, content in files.items()
        ]
    return {"id": name, "sha": COMMIT, "siblings": [{"rfilename": path} for path in files]}


class HubDouble(BaseHTTPRequestHandler):
    """The few endpoints of a hub that a download uses."""

    def do_HEAD(self) -> None:
        """Metadata of a file."""
        self._answer()

    def do_GET(self) -> None:
        """A listing or a file."""
        self._answer()

    def _answer(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[0] == "api":
            name = "/".join(parts[2:4])
            files = REPOSITORIES.get(name)
            body = json.dumps(describe(name, files or {}, tree="tree" in parts)).encode()
        else:
            files = REPOSITORIES.get("/".join(parts[:2]))
            body = (files or {}).get(parts[-1], b"")
        self.send_response(200 if files else 404)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        if not files:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep the test output quiet."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    """Address of a running hub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), HubDouble)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(
    tmp_path: Path, endpoint: str, name: str, *options: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in its own process, as the hub's client reads its address at import."""
    environment = os.environ | {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "export.models", name, *options]
    root = Path(__file__).parents[2]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=root
    )


def test_only_safe_files_are_downloaded(tmp_path: Path, endpoint: str) -> None:
    """Weights, configuration and tokenizer arrive; pickled weights and code do not."""
    done = fetch(tmp_path, endpoint, "org/safe")
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip().removeprefix("org/safe: "))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == SAFE


def test_a_downloaded_model_is_found_offline(tmp_path: Path, endpoint: str) -> None:
    """The second use needs no hub."""
    first = fetch(tmp_path, endpoint, "org/safe")
    second = fetch(tmp_path, "http://127.0.0.1:1", "org/safe", "--offline")
    assert second.stdout == first.stdout != ""


def test_a_model_with_only_pickled_weights_is_refused(tmp_path: Path, endpoint: str) -> None:
    """A repository without safetensors is refused with the reason."""
    done = fetch(tmp_path, endpoint, "org/pickled")
    assert done.returncode == 2
    assert "no safetensors" in done.stderr


def test_an_unknown_model_is_explained(tmp_path: Path, endpoint: str) -> None:
    """A name that the hub does not have ends in one line, without a traceback."""
    done = fetch(tmp_path, endpoint, "org/unknown")
    assert done.returncode == 2
    assert "check the name" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hub_out_of_reach_is_explained(tmp_path: Path) -> None:
    """Offline and not in the hub's cache: one line that says what to do."""
    done = fetch(tmp_path, "http://127.0.0.1:1", "org/safe", "--offline")
    assert done.returncode == 2
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
