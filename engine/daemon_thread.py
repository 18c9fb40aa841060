"""Blocking work on a thread that nothing waits for when the program ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """Do `work` on a thread of its own; who is cancelled does not wait for it.

    `asyncio.to_thread` has threads that asyncio and the interpreter wait for in the end. Loading
    models takes many seconds, and cannot be broken off.

    Raises:
        Exception: What `work` raises.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(finish: Callable[[], None]) -> None:
        def finish_if_wanted() -> None:
            if not done.done():
                finish()

        try:
            loop.call_soon_threadsafe(finish_if_wanted)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # a StopIteration or SystemExit must arrive, too
            failure = error if isinstance(error, Exception) else RuntimeError(repr(error))
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(result))

    threading.Thread(target=run, name=getattr(work, "__name__", "work"), daemon=True).start()
    return await done


class UnawaitedThreads(ThreadPoolExecutor):
    """Threads of the event loop that its end does not wait for.

    A library may connect in one for many seconds, to an address that does not answer.
    """

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Begin nothing more; what has begun is left to itself, as `wait` is not heeded."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
