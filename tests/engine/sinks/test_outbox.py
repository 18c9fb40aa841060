"""The bounded outbox."""

from __future__ import annotations

import asyncio

import pytest

from engine.sinks.outbox import Outbox


async def test_order_and_head() -> None:
    """The head stays until it is delivered, then the next one follows."""
    outbox: Outbox[str] = Outbox(3)
    outbox.put("a")
    outbox.put("b")
    assert await outbox.head() == "a"
    assert await outbox.head() == "a"
    outbox.delivered("a")
    assert await outbox.head() == "b"
    assert len(outbox) == 1


async def test_oldest_is_forgotten_and_told() -> None:
    """A full outbox forgets the oldest, also while that one is on its way."""
    outbox: Outbox[str] = Outbox(2)
    assert [outbox.put(item) for item in "ab"] == [None, None]
    on_its_way = await outbox.head()
    assert outbox.put("c") == "a"
    assert on_its_way == "a"
    outbox.delivered("a")
    assert await outbox.head() == "b"


async def test_what_is_worth_least_is_forgotten_first() -> None:
    """The oldest of those, even where that is what has just come."""
    outbox: Outbox[str] = Outbox(2, worth="xyz".index)
    assert [outbox.put(item) for item in "yz"] == [None, None]
    assert outbox.put("x") == "x"
    assert outbox.put("z") == "y"
    assert list(outbox) == ["z", "z"]


async def test_head_waits() -> None:
    """An empty outbox gives its next item as soon as there is one."""
    outbox: Outbox[str] = Outbox(2)
    waiting = asyncio.create_task(outbox.head())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put("a")
    assert await asyncio.wait_for(waiting, 60) == "a"


async def test_close_ends_after_the_last_item() -> None:
    """A closed outbox still gives what it holds, then None."""
    outbox: Outbox[str] = Outbox(2)
    outbox.put("a")
    outbox.close()
    assert await outbox.head() == "a"
    outbox.delivered("a")
    assert await asyncio.wait_for(outbox.head(), 60) is None


async def test_limit_is_checked() -> None:
    """An outbox that holds nothing is a mistake."""
    with pytest.raises(ValueError, match="limit"):
        Outbox(0)
