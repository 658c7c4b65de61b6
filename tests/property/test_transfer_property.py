"""Telephones that call, hold, transfer and hang up as they like: nothing breaks or is left."""

import asyncio
import logging
import random
from pathlib import Path

import pytest

from b2bua.directory import Extension
from b2bua.media.to_worker import OpenTap
from cdr.records import CallEnded, CallOpened, EvidenceStored, PartyJoined
from recording.permit import decode
from sip.errors import LocalProtocolError
from sip.events import (
    Event,
    InDialogReceived,
    InviteAnswered,
    InviteOffered,
    ReinviteReceived,
    UsageEnded,
)
from sip.usage_state import UsageState
from tests.unit.b2bua.calls.call_rig import DID, House, extension, open_house
from tests.unit.b2bua.calls.phone import Phone, sdp
from tests.unit.b2bua.calls.transfers import dialog_of, to
from tests.unit.b2bua.calls.virtual_time import virtual

NUMBERS = ("101", "102", "103", "104")
TARGETS = (*NUMBERS, "0777", "999", "112")
SECONDS = 120.0
MODES = ("automatic", "manual", "off", "never")

MAX_USAGES = 3
"Calls of one telephone; more are refused."


class Person:
    """A telephone and somebody who does anything with it, at any time."""

    def __init__(self, house: House, phone: Phone, dice: random.Random) -> None:
        self.phone = phone
        self._house = house
        self._dice = dice
        self._usages: list[int] = []
        self._version = 1

    async def react(self) -> None:
        """Answer whatever comes, in one way or another."""
        while True:
            event = await self.phone._told.get()
            await asyncio.sleep(self._dice.choice((0.0, 0.0, 0.05, 1.0)))
            self._take(event)
            self._house.kick()

    def _take(self, event: Event) -> None:
        endpoint, now = self.phone.endpoint, self._house.now
        match event:
            case InviteOffered():
                self._offered(event)
            case InviteAnswered():
                self._usages.append(event.usage)
            case ReinviteReceived():
                code = self._dice.choice((200, 200, 200, 488, 491))
                self.phone.accept(event, code, self._description())
            case InDialogReceived():
                endpoint.respond(event.transaction, self._dice.choice((200, 200, 481)), now)
            case UsageEnded():
                self._usages = [usage for usage in self._usages if usage != event.usage]

    def _offered(self, event: InviteOffered) -> None:
        if self.phone.endpoint.calls.state(event.usage) is UsageState.ENDED:
            return
        what = self._dice.random()
        if what < 0.6 and len(self._usages) < MAX_USAGES:
            self.phone.answer(event, self._description())
            self._usages.append(event.usage)
        elif what < 0.8:
            self.phone.reject(event, self._dice.choice((486, 480, 404, 603)))
        else:
            self.phone.ring(event)

    def _description(self) -> bytes:
        self._version += 1
        direction = self._dice.choice(("sendrecv", "sendrecv", "sendonly", "inactive"))
        return sdp(self.phone.host, direction=direction, version=self._version)

    def act(self) -> None:
        """Do something, if there is anything to do."""
        endpoint, now = self.phone.endpoint, self._house.now
        usage = self._dice.choice(self._usages) if self._usages else None
        what = self._dice.random()
        try:
            if usage is None or (what < 0.2 and len(self._usages) < MAX_USAGES):
                outside = self.phone.host.startswith("203.")
                self.phone.dial(DID if outside else self._dice.choice(TARGETS))
            elif what < 0.35:
                endpoint.calls.bye(usage, now)
                self._usages.remove(usage)
            elif what < 0.6:
                endpoint.calls.reinvite(usage, self._description(), now)
            else:
                self._refer(usage)
        except LocalProtocolError:
            pass  # the telephone itself knows that it can't do that now
        self._house.kick()

    def _refer(self, usage: int) -> None:
        target = f"<sip:{self._dice.choice(TARGETS)}@h>"
        other = self._dice.choice(self._usages)
        if other != usage and self._dice.random() < 0.6:
            target = to(dialog_of(self.phone, other, swapped=self._dice.random() < 0.2))
        headers = (("Refer-To", target),)
        self.phone.endpoint.calls.request(usage, "REFER", self._house.now, headers=headers)
        if self._dice.random() < 0.2:
            self.phone.endpoint.calls.bye(usage, self._house.now)
            self._usages.remove(usage)


def assert_permitted(house: House, extensions: dict[str, Extension]) -> None:
    """Assert that whoever came into a file had agreed, and talked to nobody who is `never`."""
    granted = {
        row.id: row.party_id
        for row in house.journal.of(EvidenceStored)
        if row.decision == "granted"
    }
    parties = {row.party_id: row for row in house.journal.of(PartyJoined)}
    never = {
        row.call_id
        for row in parties.values()
        if row.extension and extensions[row.extension].mode == "never"
    }
    for tap in house.plane.of(OpenTap):
        permit = decode(tap.permit)
        party = parties[tap.party_id]
        assert granted[permit.evidence_id] == tap.party_id == permit.party_id
        assert party.call_id not in never
        assert party.extension is None or extensions[party.extension].opt_in_at is not None


@pytest.mark.parametrize("seed", range(12))
def test_whatever_people_do_with_their_telephones(
    tmp_path: Path, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    @virtual
    async def run() -> None:
        dice = random.Random(seed)
        extensions = [
            extension(number, dice.choice(MODES), opted_in=dice.random() < 0.8)
            for number in NUMBERS
        ]
        async with open_house(tmp_path, *extensions, toml="[emergency]\ntrunk = ''\n") as house:
            phones = [house.phone(number) for number in NUMBERS]
            people = [Person(house, phone, dice) for phone in (*phones, house.outside())]
            tasks = [asyncio.create_task(person.react()) for person in people]
            ends = house.now + SECONDS
            while house.now < ends:
                dice.choice(people).act()
                for leg_id in tuple(house.plane.lent):
                    if dice.random() < 0.1:
                        house.plane.press(leg_id, dice.choice("12*"))
                await asyncio.sleep(dice.choice((0.0, 0.01, 0.3, 2.0, 6.0)))
            for task in tasks:
                task.cancel()
        opened, closed = house.journal.of(CallOpened), house.journal.of(CallEnded)
        assert {row.id for row in opened} == {row.id for row in closed}
        assert len(closed) == len(opened)
        assert len(opened) > 5
        assert any(row.linkedid != row.uniqueid for row in opened)
        assert_permitted(house, {each.number: each for each in extensions})

    with caplog.at_level(logging.ERROR):
        run()
    failed = [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]
    assert failed == []
