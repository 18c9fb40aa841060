"""Threads that read devices: when they end, when they hang, and what is left of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from device_doubles import Clock, until, wait_until

from stream.errors import UserError
from stream.sources import keeper as keeper_module
from stream.sources.keeper import MAX_HUNG, Keeper, Lease, Upkeep


class Device:
    """Does in each thread what its test says."""

    def __init__(self) -> None:
        self.leases: list[Lease] = []
        self.act: Callable[[Lease], None] = self.work
        self.free = threading.Event()
        self.given: list[int] = []

    def read(self, lease: Lease) -> None:
        """Be opened."""
        self.leases.append(lease)
        self.act(lease)

    def work(self, lease: Lease) -> None:
        """Work until closed."""
        lease.opened()
        self.give(lease)
        lease.over.wait()

    def give(self, lease: Lease) -> bool:
        """Give something."""
        return lease.give(lambda: self.given.append(self.leases.index(lease)))

    def fail(self, lease: Lease) -> None:
        """Be missing."""
        raise UserError("no device")

    def hang(self, lease: Lease) -> None:
        """Never return, until freed."""
        lease.opened()
        self.free.wait()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still until it is moved."""
    return Clock()


@pytest.fixture
def device() -> Iterator[Device]:
    """One that works; nothing of it is left in the end."""
    threads = threading.active_count()
    device = Device()
    yield device
    device.free.set()
    wait_until(lambda: threading.active_count() <= threads)


@pytest.fixture
def keeper(device: Device, clock: Clock) -> Iterator[Keeper]:
    """Keeps the device open."""
    keeper = Keeper("the device", device.read, lost="lost", silent="frozen", clock=clock)
    keeper.start()
    yield keeper
    keeper.close()
    device.free.set()
    keeper.join(10)


def _after(keeper: Keeper, clock: Clock, seconds: float) -> None:
    for _ in range(round(seconds / 0.25)):
        clock.now += 0.25
        keeper.check(clock.now)


def _prove(device: Device, keeper: Keeper, clock: Clock) -> None:
    """Work for a while."""
    for _ in range(6):
        _after(keeper, clock, 1.0)
        assert device.give(device.leases[-1])
    _after(keeper, clock, 0.25)


def test_one_that_breaks_off_is_opened_again(
    device: Device, keeper: Keeper, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in trouble until it gives something, and both are told, once."""
    caplog.set_level(logging.WARNING)
    wait_until(lambda: device.given == [0])
    device.act = device.fail
    device.leases[0].over.set()  # the thread returns, as if the device had ended
    wait_until(lambda: keeper.trouble == "lost")
    _after(keeper, clock, 1.0)
    wait_until(lambda: len(device.leases) == 2 and not keeper._threads[-1].is_alive())
    assert (keeper.restarts, keeper.trouble) == (1, "lost")
    device.act = device.work
    _after(keeper, clock, 2.0)
    wait_until(lambda: device.given == [0, 2])
    assert (keeper.restarts, keeper.trouble) == (2, None)
    _prove(device, keeper, clock)
    lost, back = (record.getMessage() for record in caplog.records)
    assert lost == "the device has ended (it is opened again)"
    assert back.startswith("the device is back after ")


def test_one_that_hangs_is_read_in_another_thread(
    device: Device, keeper: Keeper, clock: Clock
) -> None:
    """What the first one gives when it returns after all is refused, and it ends."""
    wait_until(lambda: device.given == [0])
    _after(keeper, clock, 6.0)
    wait_until(lambda: device.given == [0, 1])
    assert keeper.trouble is None
    assert device.leases[0].over.is_set()
    assert not device.give(device.leases[0])
    assert device.given == [0, 1]


def test_threads_that_hang_are_bounded(
    device: Device, keeper: Keeper, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond that nothing is opened, which is told; once one returns, it goes on."""
    wait_until(lambda: device.given == [0])
    device.act = device.hang
    device.leases[0].over.set()
    wait_until(lambda: not keeper._threads[0].is_alive())
    for _ in range(30):
        _after(keeper, clock, 10.0)
    wait_until(lambda: len(device.leases) == 1 + MAX_HUNG)
    assert sum(thread.is_alive() for thread in keeper._threads) == MAX_HUNG
    assert (keeper.restarts, keeper.trouble) == (MAX_HUNG, "frozen")
    told = [record.getMessage() for record in caplog.records]
    assert told[-1].startswith("the device hangs; disconnect it, or start again (given up")
    device.act = device.work
    device.free.set()
    wait_until(lambda: not any(thread.is_alive() for thread in keeper._threads))
    _after(keeper, clock, 31.0)
    wait_until(lambda: keeper.trouble is None)


def test_one_that_was_given_up_comes_back_when_it_is_plugged_in(
    device: Device, keeper: Keeper, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning when it is lost, one when it is given up, one when it is back."""
    wait_until(lambda: device.given == [0])
    device.act = device.fail
    device.leases[0].over.set()
    for _ in range(4 * 300):
        _after(keeper, clock, 0.25)
        wait_until(lambda: not keeper._threads or not keeper._threads[-1].is_alive())
    assert 5 + 8 <= keeper.restarts <= 5 + 9
    device.act = device.work
    _after(keeper, clock, 31.0)
    wait_until(lambda: keeper.trouble is None)
    _prove(device, keeper, clock)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3
    assert told[1] == "no device (given up, and only tried every 30 s)"
    assert told[2].startswith("the device is back after 3")


def test_an_error_that_nobody_foresaw_is_a_break_too(
    device: Device, keeper: Keeper, clock: Clock
) -> None:
    """Drivers raise all kinds of things."""
    wait_until(lambda: device.given == [0])

    def explode(lease: Lease) -> None:
        device.act = device.work
        raise ZeroDivisionError

    device.act = explode
    device.leases[0].over.set()
    wait_until(lambda: keeper.trouble == "lost")
    _after(keeper, clock, 1.0)
    wait_until(lambda: keeper._threads[-1].is_alive() is False)
    _after(keeper, clock, 2.0)
    wait_until(lambda: device.given == [0, 2])


async def test_what_cannot_be_opened_at_the_start_is_told_and_not_tried_again(
    device: Device, clock: Clock
) -> None:
    """Somebody at the terminal can put it right."""
    device.act = device.fail
    upkeep = Upkeep(clock, clock.sleep)
    with pytest.raises(UserError, match="no device"):
        await upkeep.open([Keeper("the device", device.read, lost="lost", clock=clock)])
    await clock.advance(100)
    await upkeep.close()
    assert len(device.leases) == 1


async def test_what_does_not_answer_at_the_start_is_told(
    device: Device, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening is waited for, but not forever, and closing leaves the thread behind."""
    monkeypatch.setattr(keeper_module, "FIRST_OPENING_SECONDS", 0.02)
    monkeypatch.setattr(keeper_module, "CLOSE_SECONDS", 0.02)
    device.act = lambda lease: device.free.wait() and None
    upkeep = Upkeep(clock, clock.sleep)
    with pytest.raises(UserError, match="the device does not answer; connect it anew"):
        await upkeep.open([Keeper("the device", device.read, lost="lost", clock=clock)])
    began = time.monotonic()
    await upkeep.close()
    assert time.monotonic() - began < 1


async def test_upkeep_adds_up_what_its_keepers_say(device: Device, clock: Clock) -> None:
    """One device is in trouble while the other goes on."""
    other = Device()
    upkeep = Upkeep(clock, clock.sleep)
    await upkeep.open(
        [
            Keeper("the device", device.read, lost="lost", clock=clock),
            Keeper("the other", other.read, lost="other lost", clock=clock),
        ]
    )
    assert (upkeep.restarts, upkeep.trouble) == (0, ())
    device.act = device.fail
    device.leases[0].over.set()
    await until(lambda: upkeep.trouble == ("lost",))
    await clock.advance(1.0)
    assert upkeep.restarts == 1
    await upkeep.close()
