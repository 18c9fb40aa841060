"""Threads share what they free."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from engine.memory import ARENAS, give_back, share_arenas

COUNT = """
import ctypes, threading
from engine.memory import share_arenas

assert not {shared} or share_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
together = threading.Barrier(9)


def take():
    together.wait()
    block = libc.malloc(100_000)
    together.wait()
    libc.free(block)


threads = [threading.Thread(target=take) for _ in range(8)]
for thread in threads:
    thread.start()
together.wait()
together.wait()
for thread in threads:
    thread.join()
libc.malloc_stats()
"""


def arenas(shared: bool) -> int:
    """How many a process with eight threads has."""
    code = COUNT.format(shared=shared)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stderr.count("Arena ")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_stats"), reason="needs glibc")
def test_threads_share_arenas() -> None:
    """Without it there is one for each thread."""
    assert arenas(shared=True) <= ARENAS < arenas(shared=False)


HOLE = """
import ctypes, re
from engine.memory import give_back

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
resident = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1])
blocks = []
for _ in range(1_000):
    blocks.append(libc.malloc(100_000))
    ctypes.memset(blocks[-1], 1, 100_000)
    libc.malloc(5_000)
for block in blocks:
    libc.free(block)
before = resident()
assert give_back()
print(before - resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_what_is_free_below_something_held_is_given_back() -> None:
    """The C library keeps it by itself."""
    done = subprocess.run(
        [sys.executable, "-c", HOLE], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) > 80_000


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `mallopt` nothing is done."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    assert not share_arenas()
    assert not give_back()
