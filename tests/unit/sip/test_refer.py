"""REFER: reading it, and the subscription that comes with it (RFC 3515, RFC 4488)."""

import pytest

from sip.errors import RemoteProtocolError
from sip.events import InDialogReceived, RequestCompleted, UsageEnded
from sip.message import Request, parse
from sip.refer import Refer
from sip.replaces import Replaces
from tests.support.sip_pair import Wire, established, make_wire

TO_102 = ("Refer-To", "<sip:102@192.0.2.2>")


def refer(*headers: tuple[str, str]) -> Request:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    message = parse(
        (
            "REFER sip:b@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n"
            "From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.2>;tag=2\r\nCall-ID: x\r\n"
            f"CSeq: 2 REFER\r\n{lines}Content-Length: 0\r\n\r\n"
        ).encode()
    )
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("value", "user", "replaces"),
    [
        ("<sip:102@192.0.2.2>", "102", None),
        ("sip:102@192.0.2.2", "102", None),
        ('"who? <me>" <sip:102@192.0.2.2;user=phone>;x=y', "102", None),
        ("<tel:+4930123>", "+4930123", None),
        (
            "<sip:102@192.0.2.2?Require=replaces&Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>",
            "102",
            Replaces(call_id="a@b", to_tag="1", from_tag="2"),
        ),
        (
            "sip:192.0.2.2:5070;transport=tcp?replaces=a;to-tag%3d1;from-tag%3d2%3bearly-only",
            None,
            Replaces(call_id="a", to_tag="1", from_tag="2", early_only=True),
        ),
    ],
)
def test_whom_it_is_about(value: str, user: str | None, replaces: Replaces | None) -> None:
    read = Refer.parse(refer(("Refer-To", value)))

    assert (read.target.user, read.replaces) == (user, replaces)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (TO_102, TO_102),
        (("Refer-To", "<sip:>"),),
        (("Refer-To", "<sip:1@h?Replaces=nothing>"),),
        (("Refer-To", "<sip:1@h?Replaces=a&Replaces=b>"),),
        (("Refer-To", "<http://example.com/>"),),
    ],
)
def test_what_says_nothing_clear_gets_400(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Refer.parse(refer(*headers))

    assert caught.value.status == 400


def asked(wire: Wire, a: int, *headers: tuple[str, str]) -> int:
    """Have A send a REFER and B take it; returns the number of the subscription."""
    wire.a.endpoint.calls.request(a, "REFER", wire.now, headers=(TO_102, *headers))
    wire.run()
    event = wire.b.take(InDialogReceived)
    subscription = wire.b.endpoint.accept_refer(
        event.transaction, Refer.parse(event.request), wire.now
    )
    assert subscription is not None
    wire.run()
    return subscription


def notifies(wire: Wire) -> list[tuple[str, str, str]]:
    """Event, state and status line of each NOTIFY that A got, answering each with 200."""
    told = []
    events, wire.a.told = wire.a.told, []
    for event in events:
        if isinstance(event, InDialogReceived):
            request = event.request
            assert request.method == "NOTIFY"
            assert request.headers["Content-Type"] == "message/sipfrag;version=2.0"
            assert request.headers.get("Contact") is not None
            state = request.headers["Subscription-State"]
            told.append((request.headers["Event"], state, request.body.decode().strip()))
            wire.a.endpoint.respond(event.transaction, 200, wire.now)
        else:
            wire.a.told.append(event)
    wire.run()
    return told


def test_the_referrer_hears_how_it_goes_until_the_end() -> None:
    wire = make_wire()
    a, _ = established(wire)
    subscription = asked(wire, a)

    assert wire.a.take(RequestCompleted).code == 202
    assert notifies(wire) == [("refer", "active;expires=300", "SIP/2.0 100 Trying")]
    wire.b.endpoint.notify_refer(subscription, 180, wire.now)
    wire.run()
    ((event, state, status),) = notifies(wire)
    assert (event, status) == ("refer", "SIP/2.0 180 Ringing")
    assert state.startswith("active;expires=29")

    wire.b.endpoint.notify_refer(subscription, 200, wire.now)
    wire.run()
    assert notifies(wire) == [("refer", "terminated;reason=noresource", "SIP/2.0 200 OK")]
    wire.b.endpoint.notify_refer(subscription, 180, wire.now)
    wire.run()
    assert notifies(wire) == []
    assert wire.b.endpoint.refer_subscriptions == 0


def test_who_wants_no_subscription_gets_none() -> None:
    wire = make_wire(supported=("norefersub",))
    a, _ = established(wire)
    subscription = asked(wire, a, ("Require", "norefersub"), ("Refer-Sub", "false"))

    completed = wire.a.take(RequestCompleted)
    assert completed.code == 200
    assert completed.response is not None
    assert completed.response.headers["Refer-Sub"] == "false"
    wire.b.endpoint.notify_refer(subscription, 200, wire.now)
    wire.run()
    assert notifies(wire) == []


def test_further_refers_of_a_dialog_are_told_apart() -> None:
    wire = make_wire()
    a, _ = established(wire)
    first = asked(wire, a)
    second = asked(wire, a)
    wire.a.take(RequestCompleted)
    notifies(wire)

    wire.b.endpoint.notify_refer(first, 486, wire.now)
    wire.b.endpoint.notify_refer(second, 200, wire.now)
    wire.run()

    cseq = wire.b.endpoint.calls.dialog(1)
    assert [event for event, _, _ in notifies(wire)] == ["refer", f"refer;id={cseq.remote_cseq}"]


def test_the_subscription_outlives_the_call() -> None:
    wire = make_wire()
    a, b = established(wire)
    subscription = asked(wire, a)
    wire.a.take(RequestCompleted)
    notifies(wire)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run()
    assert wire.b.take(UsageEnded).usage == b

    wire.b.endpoint.notify_refer(subscription, 180, wire.now)
    wire.run()
    assert wire.sent[-2].label == "b NOTIFY"
    assert wire.sent[-1].label == "a 481 NOTIFY"

    # The telephone has forgotten it with the call, so it is told no more.
    assert wire.b.endpoint.refer_subscriptions == 0
    wire.b.endpoint.notify_refer(subscription, 200, wire.now)
    wire.run()
    assert wire.sent[-1].label == "a 481 NOTIFY"


def test_a_telephone_that_answers_no_notify_keeps_its_call() -> None:
    wire = make_wire()
    a, b = established(wire)
    asked(wire, a)
    wire.run(40)

    assert wire.b.endpoint.refer_subscriptions == 0
    assert wire.b.told == []
    assert wire.b.endpoint.calls.dialog(b).call_id


def test_a_subscription_ends_when_its_time_is_over() -> None:
    wire = make_wire()
    a, _ = established(wire)
    asked(wire, a)
    wire.a.take(RequestCompleted)
    notifies(wire)
    wire.run(301)

    assert notifies(wire) == [("refer", "terminated;reason=timeout", "SIP/2.0 100 Trying")]


@pytest.mark.parametrize(
    ("expires", "state"), [("0", "terminated;reason=timeout"), ("9999", "active;expires=300")]
)
def test_a_subscription_can_be_ended_and_prolonged(expires: str, state: str) -> None:
    wire = make_wire()
    a, _ = established(wire)
    asked(wire, a)
    wire.a.take(RequestCompleted)
    notifies(wire)

    wire.a.endpoint.calls.request(
        a, "SUBSCRIBE", wire.now, headers=(("Event", "refer"), ("Expires", expires))
    )
    wire.run()
    assert wire.a.take(RequestCompleted).code == 200

    ((_, told, _),) = notifies(wire)
    assert told == state


def test_a_subscribe_to_something_else_is_the_applications() -> None:
    wire = make_wire()
    a, _ = established(wire)
    asked(wire, a)
    wire.a.endpoint.calls.request(a, "SUBSCRIBE", wire.now, headers=(("Event", "presence"),))
    wire.run()

    assert wire.b.take(InDialogReceived).request.method == "SUBSCRIBE"


def test_a_refer_that_has_ended_meanwhile_opens_nothing() -> None:
    wire = make_wire()
    a, _ = established(wire)
    wire.a.endpoint.calls.request(a, "REFER", wire.now, headers=(TO_102,))
    wire.run()
    event = wire.b.take(InDialogReceived)
    wire.a.endpoint.calls.bye(a, wire.now)
    wire.run()

    taken = wire.b.endpoint.accept_refer(event.transaction, Refer.parse(event.request), wire.now)

    assert taken is None
    assert wire.b.endpoint.refer_subscriptions == 0
