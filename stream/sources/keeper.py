"""Keeps devices and streams open: reads each in a thread, and in another when that one hangs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future

from stream.errors import UserError
from stream.sources.reopening import RARE_SECONDS, Reopening

_log = logging.getLogger(__name__)

OPENING_SECONDS = 10.0
"""How long a device may take from being opened again to its first item."""
SILENT_SECONDS = 5.0
"""How long a device may give nothing before it is taken to hang."""
FIRST_OPENING_SECONDS = 60.0
"""How long opening may take at the start, while somebody waits at the terminal."""
CLOSE_SECONDS = 1.0
"""How long closing waits for threads; one that hangs is left behind."""
MAX_HUNG = 3
"""Threads that hang in a driver, at most; nothing more is opened until one of them returns."""

_POLL_SECONDS = 0.25


class Lease:
    """The right of one thread to speak for a device, until another thread gets it."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.over = threading.Event()
        """Set when the thread is to close the device and end."""

    def opened(self) -> None:
        """Say that the device is open."""
        self._keeper._opened(self)

    def give(self, action: Callable[[], object]) -> bool:
        """Pass on what the device gave: call `action`, unless the lease is over.

        Returns:
            Whether it was called. No other thread of the same device is in an action then.
        """
        return self._keeper._give(self, action)


class Keeper:
    """One device or stream, kept open.

    Args:
        name: For messages.
        read: Opens the device, says so, and gives what comes until the lease is over. It runs
            in a thread of its own. It raises UserError where the device is missing or gone.
        lost: What `trouble` says of a device that failed.
        silent: What `trouble` says of a device that hangs.
        clock: Seconds, never going back.
        opening_seconds: See `OPENING_SECONDS`.
        silent_seconds: See `SILENT_SECONDS`.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[Lease], None],
        *,
        lost: str,
        silent: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        opening_seconds: float = OPENING_SECONDS,
        silent_seconds: float = SILENT_SECONDS,
    ) -> None:
        self.name, self._read, self._clock = name, read, clock
        self._lost, self._silent = lost, silent or lost
        self._reopening = Reopening(
            clock, opening_seconds=opening_seconds, silent_seconds=silent_seconds
        )
        # Held while an item is passed on, so that none comes from a thread that was replaced.
        self._lock = threading.Lock()
        self._lease: Lease | None = None
        self._threads: list[threading.Thread] = []
        self._closed = False
        self._reason = ""
        self._lost_at: float | None = None
        self._told = False  # that it failed in a way that nobody has foreseen
        self._back_at = 0.0
        self.restarts = 0
        """Times so far that it was opened again, or that this was tried."""
        self.trouble: str | None = None
        """What is wrong right now."""
        self.first: Future[None] = Future()
        """Done when it is open for the first time; what that raised, if it failed."""
        self.first.set_running_or_notify_cancel()  # who waits for it cannot cancel it

    def start(self) -> None:
        """Open it for the first time, in a thread; see `first`."""
        with self._lock:
            self._open()

    def check(self, now: float) -> None:
        """Open it again if that is due at the moment `now`; to be called regularly."""
        with self._lock:
            if self._closed:
                return
            for step in self._reopening.check(now):
                if step == "back":
                    self._say_back()
                    continue
                if self._lease is not None:
                    self._lose(self._silent, f"{self.name} gives nothing")
                if step == "open":
                    self._open_again()
                else:
                    told = "%s (given up, and only tried every %.0f s)"
                    _log.warning(told, self._reason, RARE_SECONDS)

    def close(self) -> None:
        """Ask its threads to end."""
        with self._lock:
            self._closed = True
            self._end_lease()

    def join(self, seconds: float) -> None:
        """Wait for its threads that long at most; after `close`."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _open_again(self) -> None:
        self._end_lease()
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if len(self._threads) >= MAX_HUNG:
            self._reason = f"{self.name} hangs; disconnect it, or start again"
            return
        self.restarts += 1
        self._open()

    def _open(self) -> None:
        self._reopening.opening()
        self._lease = Lease(self)
        thread = threading.Thread(
            target=self._run, args=(self._lease,), name=self.name, daemon=True
        )
        thread.start()
        self._threads.append(thread)

    def _run(self, lease: Lease) -> None:
        error: Exception = UserError(f"{self.name} has ended")
        try:
            self._read(lease)
        except Exception as raised:
            error = raised
            # A fault of ours would else look like a device that comes and goes; once is enough.
            level = logging.DEBUG if isinstance(raised, UserError) or self._told else logging.ERROR
            self._told |= level == logging.ERROR
            _log.log(level, "reading %s failed", self.name, exc_info=raised)
        with self._lock:
            if lease is not self._lease:
                return
            self._end_lease()
            self._reopening.failed()
            if self.first.done():
                self._lose(self._lost, str(error) or repr(error))
            else:
                self._closed = True
                self.first.set_exception(error)

    def _end_lease(self) -> None:
        if self._lease is not None:
            self._lease.over.set()
            self._lease = None

    def _opened(self, lease: Lease) -> None:
        with self._lock:
            if lease is self._lease and not self.first.done():
                self.first.set_result(None)

    def _give(self, lease: Lease, action: Callable[[], object]) -> bool:
        with self._lock:
            if lease is not self._lease:
                return False
            self._reopening.beat()
            if self.trouble is not None:
                self.trouble, self._back_at = None, self._clock()
            action()
            return True

    def _lose(self, trouble: str, reason: str) -> None:
        self.trouble, self._reason = trouble, reason
        if self._lost_at is None:  # one that comes and goes is told once
            self._lost_at = self._clock()
            _log.warning("%s (it is opened again)", reason)

    def _say_back(self) -> None:
        if self._lost_at is not None:
            _log.warning("%s is back after %.0f s", self.name, self._back_at - self._lost_at)
            self._lost_at = None


class Upkeep:
    """The keepers of one source, for the event loop.

    Args:
        clock: Seconds, never going back.
        sleep: Waits before they are checked again.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._keepers: list[Keeper] = []
        self._checking: asyncio.Task[None] | None = None

    @property
    def restarts(self) -> int:
        """Times so far that something was opened again, or that this was tried."""
        return sum(keeper.restarts for keeper in self._keepers)

    @property
    def trouble(self) -> tuple[str, ...]:
        """What is wrong right now."""
        troubles = (keeper.trouble for keeper in self._keepers)
        return tuple(trouble for trouble in troubles if trouble is not None)

    async def open(self, keepers: Sequence[Keeper]) -> None:
        """Open one after the other, and keep them open from then on.

        Raises:
            UserError: One cannot be opened, or does not answer; `close` what is open.
        """
        for keeper in keepers:
            self._keepers.append(keeper)
            keeper.start()
            await _first_opening(keeper)
        self._checking = asyncio.create_task(self._check())

    async def close(self) -> None:
        """Close all of them; what hangs is left behind."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        for keeper in self._keepers:
            keeper.close()
        await asyncio.to_thread(self._join)

    async def _check(self) -> None:
        while True:
            await self._sleep(_POLL_SECONDS)
            for keeper in self._keepers:
                try:
                    keeper.check(self._clock())
                except RuntimeError:  # no more threads can be started just now
                    _log.exception("cannot open %s again", keeper.name)

    def _join(self) -> None:
        deadline = time.monotonic() + CLOSE_SECONDS
        for keeper in self._keepers:
            keeper.join(deadline - time.monotonic())


async def _first_opening(keeper: Keeper) -> None:
    try:
        async with asyncio.timeout(FIRST_OPENING_SECONDS):
            await asyncio.wrap_future(keeper.first)
    except TimeoutError:
        raise UserError(
            f"{keeper.name} does not answer; connect it anew, and close programs that use it"
        ) from None
