import asyncio
import os
import signal

from b2bua.children import Child, ChildSpec
from b2bua.media.messages import Counters

PATIENCE_S = 10.0


class Nursery:
    """One echo child and what it said."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Counters] = asyncio.Queue()
        self.deaths = 0
        spec: ChildSpec[Counters] = ChildSpec(
            name="echo",
            module="tests.support.echo_child",
            arguments=lambda fd: [str(fd)],
            inherited=(),
            kind=Counters,
        )
        self.child = Child(
            spec, on_message=self._hear, on_start=lambda: None, on_death=self._count_death
        )

    def _hear(self, message: Counters) -> None:
        self.heard.put_nowait(message)
        if message.values.get("fail"):
            raise RuntimeError("a bug in whoever listens")

    def _count_death(self) -> None:
        self.deaths += 1

    async def next(self) -> Counters:
        async with asyncio.timeout(PATIENCE_S):
            return await self.heard.get()


async def test_messages_go_both_ways_and_close_ends_the_child() -> None:
    nursery = Nursery()
    async with asyncio.TaskGroup() as group:
        group.create_task(nursery.child.run())
        hello = await nursery.next()
        assert hello.values == {"pid": float(nursery.child.pid or 0)}
        nursery.child.send(Counters({"a": 1.0}))
        assert (await nursery.next()).values == {"a": 1.0}
        await nursery.child.close(PATIENCE_S)
    assert nursery.child.pid is None
    assert nursery.deaths == 0


async def test_a_killed_child_is_started_again() -> None:
    nursery = Nursery()
    async with asyncio.TaskGroup() as group:
        group.create_task(nursery.child.run())
        first = int((await nursery.next()).values["pid"])
        os.kill(first, signal.SIGKILL)
        second = int((await nursery.next()).values["pid"])
        assert second != first
        assert nursery.deaths == 1
        assert nursery.child.starts == 2
        await nursery.child.close(PATIENCE_S)


async def test_a_message_that_breaks_its_listener_does_not_end_the_channel() -> None:
    nursery = Nursery()
    async with asyncio.TaskGroup() as group:
        group.create_task(nursery.child.run())
        await nursery.next()
        nursery.child.send(Counters({"fail": 1.0}))
        await nursery.next()
        nursery.child.send(Counters({"a": 2.0}))
        assert (await nursery.next()).values == {"a": 2.0}
        await nursery.child.close(PATIENCE_S)


async def test_more_than_the_socket_takes_arrives_in_order() -> None:
    nursery = Nursery()
    count = 3000
    async with asyncio.TaskGroup() as group:
        group.create_task(nursery.child.run())
        await nursery.next()
        for number in range(count):
            nursery.child.send(Counters({"n" * 100: float(number)}))
        heard = [(await nursery.next()).values["n" * 100] for _ in range(count)]
        await nursery.child.close(PATIENCE_S)
    assert heard == [float(number) for number in range(count)]


async def test_what_has_time_goes_with_the_next_message_or_soon_by_itself() -> None:
    nursery = Nursery()
    async with asyncio.TaskGroup() as group:
        group.create_task(nursery.child.run())
        await nursery.next()
        nursery.child.send(Counters({"a": 1.0}), at_once=False)
        assert (await nursery.next()).values == {"a": 1.0}
        nursery.child.send(Counters({"b": 1.0}), at_once=False)
        nursery.child.send(Counters({"c": 1.0}))
        assert [(await nursery.next()).values for _ in "bc"] == [{"b": 1.0}, {"c": 1.0}]
        await nursery.child.close(PATIENCE_S)
