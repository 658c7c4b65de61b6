"""The notifier, with a telephone that speaks in messages (RFC 6665 section 4.2, RFC 4235)."""

from xml.etree import ElementTree as ET

import pytest

from sip.dialog_info import OFF, DialogInfo
from sip.endpoint import Endpoint
from sip.events import Authorized, RequestOffered
from sip.notifier import NotifierLimits
from sip.timers import Timers
from tests.support.sip_pair import tokens
from tests.support.watcher import HABITS, SERVER, Watcher

LIT = DialogInfo("confirmed")
BLINKING = DialogInfo("early", "recipient")
LAMP = "key of 21"
LIMITS = NotifierLimits(per_owner=3, total=5)

SUBSCRIBE = ("Event: dialog", "Accept: application/dialog-info+xml")


def make_watcher(limits: NotifierLimits = LIMITS, transport: str = "UDP") -> Watcher:
    endpoint = Endpoint(
        contact=SERVER,
        authorize=lambda _request, _flow, _now: Authorized("21"),
        timers=Timers(),
        token=tokens("s"),
        user_agent="",
        subscriptions=limits,
    )
    return Watcher(endpoint, transport=transport)


def accept(watcher: Watcher, *, owner: str = "21", shown: DialogInfo = OFF) -> bool:
    """Let the application take the SUBSCRIBE that has come."""
    (event,) = watcher.endpoint.events()
    assert isinstance(event, RequestOffered)
    taken = watcher.endpoint.accept_subscription(
        event.transaction, owner=owner, resource=LAMP, shown=shown, now=watcher.now
    )
    watcher.pump()
    return taken


def watching(*lines: str, shown: DialogInfo = OFF) -> Watcher:
    watcher = make_watcher()
    watcher.subscribe("*1", *lines)
    assert accept(watcher, shown=shown)
    return watcher


def show(watcher: Watcher, shown: DialogInfo) -> None:
    watcher.endpoint.notifier.show(LAMP, shown, watcher.now)
    watcher.pump()


@pytest.mark.parametrize("habit", HABITS)
def test_the_first_word_comes_at_once_in_every_habit(habit: str) -> None:
    watcher = watching(*HABITS[habit], shown=LIT)

    (answer,), (told,) = watcher.answers, watcher.told
    expires = {"yealink": 1800, "short": 600}.get(habit, 3600)
    assert answer.code == 200
    assert answer.headers["Expires"] == str(expires)
    assert answer.headers["Contact"] == "<sip:192.0.2.100:5060>"
    assert told.state == f"active;expires={expires}"
    assert told.request.headers["Event"] == ("dialog;id=7" if habit == "short" else "dialog")
    assert told.request.head.to_tag == "watcher"
    assert told.request.head.from_tag == answer.head.to_tag
    assert str(told.request.uri) == "sip:21@192.0.2.21:5060"
    root = ET.fromstring(told.request.body)  # noqa: S314 - our own
    name = "{urn:ietf:params:xml:ns:dialog-info}"
    assert root.tag == f"{name}dialog-info"
    assert root.attrib == {"version": "0", "state": "full", "entity": "sip:*1@192.0.2.100"}
    assert root.findtext(f"{name}dialog/{name}state") == "confirmed"


def test_the_lamp_follows_and_versions_count_up() -> None:
    watcher = watching()
    for shown in (BLINKING, LIT, OFF):
        watcher.run(1.1)
        show(watcher, shown)

    assert watcher.lamps == ["terminated", "early", "confirmed", "terminated"]
    assert [told.version for told in watcher.told] == [0, 1, 2, 3]
    assert b'direction="recipient"' in watcher.told[1].request.body
    show(watcher, OFF)  # nothing new
    watcher.run(5)
    assert len(watcher.told) == 4


def test_not_more_than_one_notify_a_second_and_the_last_word_is_heard() -> None:
    watcher = watching()
    for _ in range(20):
        show(watcher, LIT)
        watcher.run(0.05)
        show(watcher, BLINKING)
        watcher.run(0.05)
    watcher.run(3)

    assert 3 <= len(watcher.told) <= 5
    assert watcher.lamps[-1] == "early"


def test_one_notify_at_a_time_is_under_way() -> None:
    watcher = watching()
    watcher.run(2)
    watcher.answer = 0
    show(watcher, LIT)
    watcher.run(0.4)
    show(watcher, BLINKING)
    show(watcher, OFF)
    watcher.run(0.4)  # the first is repeated, and nothing overtakes it
    assert watcher.lamps[1:] == ["confirmed", "confirmed"]

    watcher.answer = 200
    watcher.run(5)
    assert watcher.lamps[-1] == "terminated"
    assert "early" not in watcher.lamps
    assert {told.version for told in watcher.told} == {0, 1, 2}


def test_a_refresh_prolongs_and_tells_again() -> None:
    watcher = watching("Event: dialog", "Expires: 60")
    tag = watcher.tag
    watcher.run(50)
    watcher.port = 5099  # the telephone's NAT has another port now
    watcher.subscribe("*1", "Event: dialog", "Expires: 60", to_tag=tag)
    assert watcher.answers[-1].code == 200
    assert watcher.told[-1].state == "active;expires=60"
    watcher.run(30)
    show(watcher, LIT)
    assert watcher.told[-1].state == "active;expires=30"

    watcher.run(31)
    assert watcher.told[-1].state == "terminated;reason=timeout"
    assert watcher.told[-1].lamp == "confirmed"
    watcher.subscribe("*1", *SUBSCRIBE, to_tag=tag)
    assert watcher.answers[-1].code == 481
    assert len(watcher.endpoint.notifier) == 0


def test_zero_ends_it_or_only_asks_once() -> None:
    watcher = watching()
    watcher.run(2)
    watcher.subscribe("*1", *SUBSCRIBE, "Expires: 0", to_tag=watcher.tag)
    assert watcher.answers[-1].headers["Expires"] == "0"
    assert watcher.told[-1].state == "terminated;reason=timeout"

    watcher.subscribe("*1", *SUBSCRIBE, "Expires: 0", call_id="poll")
    assert not accept(watcher, shown=LIT)
    assert (watcher.told[-1].state, watcher.told[-1].lamp) == (
        "terminated;reason=timeout",
        "confirmed",
    )
    assert len(watcher.endpoint.notifier) == 0
    watcher.run(40)
    assert watcher.endpoint.next_timeout() is None


@pytest.mark.parametrize(
    ("lines", "code", "header"),
    [
        ((), 489, ("Allow-Events", "dialog")),
        (("Event: presence",), 489, ("Allow-Events", "dialog")),
        (("Event: message-summary",), 489, ("Allow-Events", "dialog")),
        (("Event: dialog", "Accept: application/pidf+xml"), 406, None),
        (("Event: dialog", "Expires: 59"), 423, ("Min-Expires", "60")),
        (("Event: dialog", "Expires: soon"), 400, None),
        (("Event: dialog", "Contact: <sip:1@h>"), 400, None),
    ],
)
@pytest.mark.parametrize("refreshing", [False, True])
def test_what_can_not_be_granted(
    lines: tuple[str, ...], code: int, header: tuple[str, str] | None, *, refreshing: bool
) -> None:
    watcher = watching() if refreshing else make_watcher()
    tag = watcher.tag if refreshing else ""
    told = len(watcher.told)
    watcher.subscribe("*1", *(lines or ("Subject: lamps",)), to_tag=tag)
    if not refreshing:
        assert not accept(watcher)

    answer = watcher.answers[-1]
    if refreshing and any("Contact" in line for line in lines):
        assert answer.code == 200  # the target that is known goes on
        return
    assert answer.code == code
    if header is not None:
        assert answer.headers[header[0]] == header[1]
    assert len(watcher.told) == told
    assert len(watcher.endpoint.notifier) == int(refreshing)


@pytest.mark.parametrize("code", [481, 404, 489])
def test_who_knows_nothing_of_it_is_told_no_more(code: int) -> None:
    watcher = watching()
    watcher.run(2)
    watcher.answer = code
    show(watcher, LIT)
    watcher.run(2)
    show(watcher, OFF)

    assert watcher.lamps == ["terminated", "confirmed"]
    assert len(watcher.endpoint.notifier) == 0


def test_who_is_in_trouble_for_a_moment_stays() -> None:
    watcher = watching()
    watcher.run(2)
    watcher.answer = 503
    show(watcher, LIT)
    watcher.answer = 200
    watcher.run(2)
    show(watcher, OFF)

    assert watcher.lamps == ["terminated", "confirmed", "terminated"]


def test_a_silent_telephone_is_given_up() -> None:
    watcher = watching()
    watcher.run(2)
    watcher.answer = 0
    show(watcher, LIT)
    watcher.run(40)

    assert len(watcher.endpoint.notifier) == 0
    assert watcher.endpoint.next_timeout() is None


def test_a_stranger_does_not_touch_it() -> None:
    watcher = watching()
    tag, watcher.host = watcher.tag, "203.0.113.66"
    watcher.subscribe("*1", *SUBSCRIBE, "Expires: 0", to_tag=tag)

    assert watcher.answers[-1].code == 481
    assert len(watcher.endpoint.notifier) == 1


def test_a_refresh_that_is_late_changes_nothing() -> None:
    watcher = watching()
    watcher.subscribe("*1", *SUBSCRIBE, to_tag=watcher.tag, cseq=5)
    watcher.subscribe("*1", *SUBSCRIBE, "Expires: 0", to_tag=watcher.tag, cseq=4)

    assert watcher.answers[-1].code == 500
    assert len(watcher.endpoint.notifier) == 1


def test_an_owner_has_so_many_and_the_house_so_many() -> None:
    watcher = make_watcher()
    for number in range(4):
        watcher.subscribe("*1", *SUBSCRIBE, call_id=f"first-{number}")
        assert accept(watcher)
    over = [told for told in watcher.told if told.state.startswith("terminated")]
    assert [told.state for told in over] == ["terminated;reason=probation;retry-after=3600"]
    assert over[0].request.head.call_id == "first-0"

    taken = []
    for number in range(3):
        watcher.subscribe("*1", *SUBSCRIBE, call_id=f"second-{number}")
        taken.append(accept(watcher, owner="22"))
    assert taken == [True, True, False]
    assert watcher.answers[-1].code == 503
    assert len(watcher.endpoint.notifier) == 5


def test_who_may_watch_no_more_is_told_so() -> None:
    watcher = watching(shown=LIT)
    watcher.run(2)
    assert watcher.endpoint.notifier.owners() == ("21",)
    watcher.endpoint.notifier.revoke("21", watcher.now)
    watcher.pump()

    assert (watcher.told[-1].state, watcher.told[-1].lamp) == (
        "terminated;reason=rejected",
        "terminated",
    )
    assert watcher.endpoint.notifier.owners() == ()
    assert not watcher.endpoint.notifier.is_watched(LAMP)


def test_a_connection_is_kept_for_it_and_ends_it() -> None:
    watcher = make_watcher(transport="TCP")
    watcher.subscribe("*1", *SUBSCRIBE)
    accept(watcher)
    watcher.run(40)
    assert watcher.endpoint.flows() == {watcher.flow}

    watcher.endpoint.connection_lost(watcher.flow, watcher.now)
    assert len(watcher.endpoint.notifier) == 0
    assert watcher.endpoint.flows() == set()


def test_an_answer_for_what_has_ended_is_nobodys_mistake() -> None:
    watcher = make_watcher()
    watcher.subscribe("*1", *SUBSCRIBE)
    (event,) = watcher.endpoint.events()
    assert isinstance(event, RequestOffered)
    for expected in (True, False):
        taken = watcher.endpoint.accept_subscription(
            event.transaction, owner="21", resource=LAMP, shown=OFF, now=watcher.now
        )
        assert taken is expected
    assert watcher.endpoint.counters["late_calls"] == 1


def test_of_many_who_watch_a_few_are_told_at_a_time() -> None:
    watcher = make_watcher(NotifierLimits(at_once=3))
    for number in range(8):
        watcher.subscribe("*1", *SUBSCRIBE, call_id=f"lamp-{number}")
        accept(watcher)
    watcher.run(2)
    watcher.told.clear()
    show(watcher, LIT)
    told = [len(watcher.told)]
    for _ in range(2):
        watcher.run(0.021)
        told.append(len(watcher.told))
    assert told == [3, 6, 8]
    assert watcher.lamps == ["confirmed"] * 8

    watcher.run(2)
    watcher.told.clear()
    show(watcher, OFF)
    show(watcher, LIT)  # before the last ones had their turn: they know
    watcher.run(3)
    assert watcher.lamps == ["terminated"] * 3 + ["confirmed"] * 3
    assert watcher.endpoint.counters["failed"] == 0


def test_who_is_gone_before_its_turn_is_told_nothing() -> None:
    watcher = make_watcher(NotifierLimits(at_once=1))
    for number in range(2):
        watcher.subscribe("*1", *SUBSCRIBE, call_id=f"lamp-{number}")
        accept(watcher)
    watcher.run(2)
    show(watcher, LIT)
    watcher.endpoint.notifier.revoke("21", watcher.now)
    watcher.pump()
    told = len(watcher.told)
    watcher.run(3)
    assert len(watcher.told) == told
    assert watcher.endpoint.counters["failed"] == 0
