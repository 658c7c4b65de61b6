"""kill -9 of each process while ten calls run: what the design promises is what is seen."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.e2e.calls import call
from tests.support import audio
from tests.support.phones.baresip import Baresip, baresip
from tests.support.phones.phone import talk
from tests.support.server import Server, server

CALLS = 10
CALLER_HZ = 440.0
CALLEE_HZ = 620.0

pytestmark = [pytest.mark.alone, pytest.mark.peer("baresip", "ffmpeg"), pytest.mark.timeout(180)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One of the calls that run."""

    caller: Baresip
    callee: Baresip

    @property
    def phones(self) -> tuple[Baresip, Baresip]:
        return self.caller, self.callee


@contextlib.asynccontextmanager
async def ten_calls() -> AsyncIterator[tuple[Server, list[Talk]]]:
    """Yield a server and ten calls, all recorded, all with audio both ways."""
    numbers = [str(200 + place) for place in range(2 * CALLS)]
    async with contextlib.AsyncExitStack() as stack:
        under_test = await stack.enter_async_context(server())
        async with asyncio.TaskGroup() as group:
            for number in numbers:
                group.create_task(under_test.add_extension(number, mode="automatic", opt_in=True))

        async def phone(number: str, hz: float) -> Baresip:
            setup = under_test.setup(number, audio.tone(hz, 60.0))
            return await stack.enter_async_context(baresip(setup))

        talks = [
            Talk(caller=await phone(one, CALLER_HZ), callee=await phone(other, CALLEE_HZ))
            for one, other in zip(numbers[::2], numbers[1::2], strict=True)
        ]
        async with asyncio.TaskGroup() as group:
            for one, number in zip(talks, numbers[1::2], strict=True):
                group.create_task(call(one.caller, one.callee, number=number))
        async with asyncio.TaskGroup() as group:
            for one in talks:
                group.create_task(one.caller.hears())
                group.create_task(one.callee.hears())
        yield under_test, talks


async def hang_up(talks: list[Talk]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in talks:
            group.create_task(one.caller.hang_up())
            group.create_task(one.callee.closed())


async def kill_first(under_test: Server, kind: str) -> int:
    """Kill the first child of the kind and return its process number."""
    pid = int((await under_test.status())["pids"][kind][0])
    os.kill(pid, signal.SIGKILL)
    return pid


async def restarted(under_test: Server, kind: str, dead: int) -> None:
    async with asyncio.timeout(30.0):
        while (await under_test.status())["pids"][kind][0] in (dead, None):  # noqa: ASYNC110 - it is a child of another process
            await asyncio.sleep(0.05)


async def test_a_killed_recorder_loses_nothing() -> None:
    async with ten_calls() as (under_test, talks):
        await talk(2.0)
        dead = await kill_first(under_test, "recorder")
        await talk(2.0)
        await restarted(under_test, "recorder", dead)
        await talk(1.0)
        assert not any(phone.has_seen("CALL_CLOSED") for one in talks for phone in one.phones)
        await hang_up(talks)
        for row in await under_test.calls_closed(CALLS):
            assert row["outcome"] == "recorded", row
            pcm = audio.decode(under_test.recording(row))
            for hz in (CALLER_HZ, CALLEE_HZ):
                (interval,) = audio.tone_intervals(pcm, hz)
                assert interval[1] > audio.seconds(pcm) - 0.6
                audio.assert_tone(pcm, hz, interval[0] + 0.05, interval[1] - 0.05)
            assert audio.seconds(pcm) >= 5.0
        await under_test.stop()


async def test_a_killed_media_worker_ends_its_calls_by_name_and_is_replaced() -> None:
    async with ten_calls() as (under_test, talks):
        await talk(2.0)
        dead = await kill_first(under_test, "media")
        async with asyncio.TaskGroup() as group:
            for one in talks:
                for phone in one.phones:
                    group.create_task(phone.closed())
        for row in await under_test.calls_closed(CALLS):
            assert row["outcome"] == "failed", row
            assert row["why"]
            pcm = audio.decode(under_test.recording(row))
            assert audio.tone_intervals(pcm, CALLER_HZ)
            assert audio.tone_intervals(pcm, CALLEE_HZ)
        assert not [path for path in under_test.files() if path.suffix == ".part"]
        await restarted(under_test, "media", dead)
        again, place = talks[0], len(talks[0].callee.events)
        await again.caller.dial("201")
        await again.callee.wait_event("CALL_INCOMING", after=place)
        await again.callee.answer()
        await again.callee.wait_event("CALL_RTPESTAB", after=place)
        await under_test.stop()


async def test_after_a_killed_server_the_next_one_keeps_every_call_and_recording() -> None:
    async with ten_calls() as (under_test, _):
        await talk(3.0)
        under_test.child.process.kill()
        await under_test.child.wait()
        await under_test.start()
        for row in await under_test.calls_closed(CALLS):
            assert row["recovered"], row
            assert row["why"]
            pcm = audio.decode(under_test.recording(row))
            assert audio.seconds(pcm) >= 2.0
            assert audio.tone_intervals(pcm, CALLER_HZ)
            assert audio.tone_intervals(pcm, CALLEE_HZ)
        assert not [path for path in under_test.files() if path.suffix == ".part"]
        await under_test.stop()
