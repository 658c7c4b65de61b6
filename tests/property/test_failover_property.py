"""Which trunk a call ends up with, whatever each of them says, against a model of three lines."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sip.events import InviteAnswered, InviteFailed, InviteOffered, RequestCompleted, UsageEnded
from tests.unit.b2bua.calls.call_rig import extension, open_house
from tests.unit.b2bua.calls.virtual_time import virtual

HOSTS = ("203.0.113.11", "203.0.113.12", "203.0.113.13")

TOML = "".join(
    f'[[trunk]]\nname = "t{place}"\naddress = "{host}"\n' for place, host in enumerate(HOSTS)
) + ('[[route]]\npattern = "7X."\ntrunk = ["t0", "t1", "t2"]\nstrip = 1\n')

ANSWER, SILENCE = 200, 0

GOES_ON = frozenset({SILENCE, 401, 407, 408, *range(500, 600)})

codes = st.sampled_from([ANSWER, SILENCE, 302, 401, 403, 404, 407, 408, 480, 486, 500, 503, 603])


@settings(max_examples=60, deadline=None)
@given(says=st.lists(codes, min_size=3, max_size=3))
def test_the_first_who_decides_decides(says: list[int]) -> None:
    decides = next((place for place, code in enumerate(says) if code not in GOES_ON), 2)

    @virtual
    async def run(folder: Path) -> None:
        async with open_house(folder, extension("102"), toml=TOML) as house:
            alice = house.phone("102")
            trunks = [house.outside(host=host) for host in HOSTS]
            mute = {host for host, code in zip(HOSTS, says, strict=True) if code == SILENCE}
            house.lose = lambda _data, to: to.host in mute
            alice.dial("7030123")
            for trunk, code in list(zip(trunks, says, strict=True))[: decides + 1]:
                if code == SILENCE:
                    continue
                offered = await trunk.take(InviteOffered)
                if code == ANSWER:
                    trunk.answer(offered)
                else:
                    trunk.reject(offered, code)
            if says[decides] == ANSWER:
                await alice.take(InviteAnswered)
                alice.bye()
                await trunks[decides].take(UsageEnded)
                await alice.take(RequestCompleted)
            else:
                await alice.take(InviteFailed)
            row = await house.over()
            assert (row.disposition == "ANSWERED") == (says[decides] == ANSWER)
            await asyncio.sleep(400)
            assert [trunk.untold for trunk in trunks] == [[], [], []], "nobody else was asked"
            assert house.endpoint.usages == 0

    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder))
