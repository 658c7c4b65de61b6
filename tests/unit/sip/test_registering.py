"""When a REGISTER is due, what it asks for, and what its answer means."""

import pytest

from sip.message import Response
from sip.registering import (
    HOLDING,
    MAX_EXPIRES_S,
    MAX_PAUSE_S,
    NEXT_SERVER_S,
    PAUSE_S,
    REFUSED_PAUSE_S,
    STEADY_S,
    TABLE,
    Input,
    Registering,
    State,
    refresh_after,
)

NOW = 1000.0
USER = "f00d"


def registering(*, expires_s: int = 600, dice: float = 1.0, user: str = USER) -> Registering:
    return Registering(contact_user=user, expires_s=expires_s, now=NOW, dice=lambda: dice)


def answer(code: int, *headers: tuple[str, str]) -> Response:
    response = Response(code, "Phrase")
    for name, value in headers:
        response.headers.add(name, value)
    return response


def accepted(seconds: int = 600, *headers: tuple[str, str]) -> Response:
    return answer(200, ("Contact", f"<sip:{USER}@192.0.2.1>;expires={seconds}"), *headers)


def complete(ours: Registering, response: Response, now: float = NOW, *, last: bool = True) -> bool:
    ours.begin(now)
    return ours.completed(response, response.code, now, last=last)


def test_every_input_has_a_rule_in_every_state() -> None:
    assert TABLE.keys() == set(State)
    for row in TABLE.values():
        assert row.keys() == set(Input)


def test_time_alone_ends_what_holds_and_begins_nothing() -> None:
    for state, row in TABLE.items():
        if state is not State.LEAVING:
            assert row[Input.EXPIRED] not in HOLDING
        if state not in HOLDING and row[Input.FAILED] is not State.GONE:
            assert row[Input.FAILED] not in HOLDING


def test_from_the_first_register_to_the_last() -> None:
    ours = registering()
    assert (ours.state, ours.due_at) == (State.OUT, NOW)
    assert ours.begin(NOW) == 600
    assert not ours.holds
    assert not ours.completed(accepted(300), 200, NOW, last=True)
    assert (ours.state, ours.holds, ours.trouble) == (State.IN, True, "")
    assert ours.granted is not None
    assert ours.granted.expires_at == NOW + 300
    assert NOW + 200 <= ours.due_at <= NOW + 260
    assert ours.begin(ours.due_at) == 600
    assert (ours.state, ours.holds) == (State.REFRESHING, True)
    ours.completed(accepted(300), 200, ours.due_at, last=True)
    assert ours.leave()
    assert ours.begin(NOW + 400) == 0
    ours.completed(answer(200), 200, NOW + 400, last=True)
    assert ours.state is State.GONE


def test_who_was_never_registered_has_nothing_to_end() -> None:
    assert not registering().leave()


# --- how long it holds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("Contact", f"<sip:{USER}@192.0.2.1>;expires=120"), ("Expires", "7")), 120),
        ((("Contact", f"<sip:{USER}@198.51.100.7:1024>;expires=120"),), 120),
        (
            (
                ("Contact", "<sip:other@192.0.2.9>;expires=5"),
                ("Contact", f"<sip:{USER}@192.0.2.1>;expires=120"),
            ),
            120,
        ),
        ((("Contact", f"<sip:o@192.0.2.9>;expires=5, <sip:{USER}@h>;expires=120"),), 120),
        ((("Contact", "<sip:mended@192.0.2.1>;expires=120"),), 120),
        ((("Contact", f"<sip:{USER}@192.0.2.1>"), ("Expires", "77")), 77),
        ((("Expires", "77"),), 77),
        ((("Contact", "broken<"), ("Expires", "77")), 77),
        ((("Contact", f"<sip:{USER}@192.0.2.1>;expires=soon"),), 600),
        ((), 600),
    ],
)
def test_for_how_long_we_are_registered(headers: tuple[tuple[str, str], ...], seconds: int) -> None:
    ours = registering()
    complete(ours, answer(200, *headers))
    assert ours.granted is not None
    assert ours.granted.expires_at == NOW + seconds


def test_with_gin_our_contact_has_no_user() -> None:
    ours = registering(user="")
    complete(ours, answer(200, ("Contact", "<sip:192.0.2.1;bnc>;expires=90")))
    assert ours.granted is not None
    assert ours.granted.expires_at == NOW + 90


def test_accepted_for_no_time_is_not_accepted() -> None:
    ours = registering()
    complete(ours, accepted(0))
    assert not ours.holds
    assert "no time" in ours.trouble
    assert ours.due_at >= NOW + PAUSE_S / 2


@pytest.mark.parametrize("granted", [1, 30, 60, 119, 160, 600, 3600, 86_400])
@pytest.mark.parametrize("dice", [0.0, 0.5, 0.999])
def test_it_is_prolonged_well_before_it_ends(granted: int, dice: float) -> None:
    after = refresh_after(granted, dice)
    assert granted / 2 < after < granted
    if granted >= 160:
        assert granted - after >= 40, "room for a silent server and the next one"


def test_it_ends_by_itself_when_nobody_prolongs_it() -> None:
    ours = registering()
    complete(ours, accepted(100))
    ours.begin(NOW + 60)
    ours.completed(None, 408, NOW + 68, last=True)
    assert (ours.state, ours.holds) == (State.SHAKY, True)
    ours.expire(NOW + 100)
    assert (ours.state, ours.holds, ours.granted) == (State.OUT, False, None)


def test_it_ends_while_it_is_being_prolonged() -> None:
    ours = registering()
    complete(ours, accepted(100))
    ours.begin(NOW + 99)
    ours.completed(None, 408, NOW + 107, last=True)
    assert ours.state is State.OUT


# --- the connection to the registrar


def test_a_connection_that_ends_is_replaced_soon() -> None:
    ours = registering()
    complete(ours, accepted())
    ours.lost(NOW + 100)
    assert ours.holds
    assert ours.due_at == NOW + 100 + NEXT_SERVER_S


def test_one_that_ends_each_time_is_replaced_more_and_more_slowly() -> None:
    ours = registering()
    pauses = []
    now = NOW
    for _ in range(5):
        complete(ours, accepted(), now)
        ours.lost(now + 1)
        pauses.append(ours.due_at - now - 1)
        now = ours.due_at
    assert pauses == [2, 4, 8, 16, 32]
    complete(ours, accepted(), now)
    ours.lost(now + STEADY_S)
    assert ours.due_at - now - STEADY_S == NEXT_SERVER_S


def test_a_connection_that_carried_nothing_may_end() -> None:
    ours = registering()
    complete(ours, answer(503))
    due = ours.due_at
    ours.lost(NOW + 1)
    assert ours.due_at == due


# --- Service-Route


def routes_of(ours: Registering) -> list[str]:
    assert ours.granted is not None
    return list(ours.granted.service_route)


def test_each_2xx_says_the_service_route_anew() -> None:
    ours = registering()
    routes = (("Service-Route", "<sip:a;lr>, <sip:b;lr>"), ("Service-Route", "<sip:c;lr>"))
    complete(ours, accepted(600, *routes))
    assert routes_of(ours) == ["<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>"]
    complete(ours, accepted())
    assert routes_of(ours) == []


# --- what is no yes


def test_a_longer_interval_is_asked_for_at_once() -> None:
    ours = registering(expires_s=60)
    assert complete(ours, answer(423, ("Min-Expires", "1800")))
    assert ours.begin(NOW) == 1800
    assert not ours.completed(answer(423, ("Min-Expires", "1800")), 423, NOW, last=True)
    assert ours.trouble == "423 Phrase"


@pytest.mark.parametrize("wanted", ["", "30", "60", "-1", "x", str(MAX_EXPIRES_S + 1), "9" * 30])
def test_an_interval_that_makes_no_sense_is_a_failure(wanted: str) -> None:
    ours = registering(expires_s=60)
    assert not complete(ours, answer(423, ("Min-Expires", wanted)))
    assert ours.begin(NOW) == 60


def test_the_next_server_comes_soon_and_the_next_round_late() -> None:
    ours = registering()
    complete(ours, answer(503), last=False)
    assert ours.due_at == NOW + NEXT_SERVER_S
    complete(ours, answer(503))
    assert ours.due_at == NOW + PAUSE_S


def test_pauses_grow_up_to_their_limit_and_shrink_after_a_yes() -> None:
    ours = registering()
    pauses = []
    for _ in range(9):
        complete(ours, answer(500))
        pauses.append(ours.due_at - NOW)
    assert pauses == [30, 60, 120, 240, 480, 960, 1800, 1800, MAX_PAUSE_S]
    complete(ours, accepted())
    complete(ours, answer(500))
    assert ours.due_at - NOW == PAUSE_S


def test_pauses_differ_by_half() -> None:
    ours = registering(dice=0.0)
    complete(ours, answer(500))
    assert ours.due_at - NOW == PAUSE_S / 2


@pytest.mark.parametrize("code", [302, 400, 401, 403, 404, 407])
def test_a_plain_no_is_asked_again_much_later(code: int) -> None:
    ours = registering()
    complete(ours, answer(code))
    assert ours.due_at - NOW == REFUSED_PAUSE_S
    assert ours.trouble == f"{code} Phrase"


@pytest.mark.parametrize(("code", "words"), [(408, "no answer"), (503, "no way there")])
def test_silence_has_words(code: int, words: str) -> None:
    ours = registering()
    ours.begin(NOW)
    ours.completed(None, code, NOW, last=True)
    assert ours.trouble == words
    assert ours.due_at - NOW == PAUSE_S


@pytest.mark.parametrize(
    ("value", "pause_s"),
    [("120", 120), ("120;duration=60", 120), ("60 (busy)", 60), ("5", 30), ("soon", 30)],
)
def test_who_says_when_is_asked_then(value: str, pause_s: float) -> None:
    ours = registering()
    complete(ours, answer(503, ("Retry-After", value)))
    assert ours.due_at - NOW == pause_s


def test_nobody_to_ask() -> None:
    ours = registering()
    ours.nowhere("its address is not known", NOW)
    assert (ours.state, ours.trouble) == (State.OUT, "its address is not known")
    assert ours.due_at - NOW == PAUSE_S


def test_nobody_to_ask_leaves_what_holds() -> None:
    ours = registering()
    complete(ours, accepted(600))
    ours.nowhere("its address is not known", NOW + 10)
    assert ours.holds
