"""Replaces: reading it, and which dialogs can be taken over (RFC 3891)."""

import pytest

from sip.dialog import Dialog
from sip.errors import RemoteProtocolError
from sip.events import InviteFailed, InviteOffered, InviteProgressed, UsageEnded
from sip.message import Address
from sip.replaces import Replaces
from tests.support.sip_pair import ANSWER, Wire, call, established, make_wire


@pytest.mark.parametrize(
    "text",
    [
        "98732@host;from-tag=r33th4x0r;to-tag=ff87ff",
        "12adf2f34456gs5;to-tag=12345;from-tag=54321",
        "87134@192.0.2.1;to-tag=24796;from-tag=0",
        "a@b ; To-Tag = x ;from-tag=y;x;early-only",
    ],
)
def test_what_is_read_is_written_again_to_the_same_meaning(text: str) -> None:
    replaces = Replaces.parse(text)

    assert Replaces.parse(str(replaces)) == replaces
    assert replaces.early_only == ("early-only" in text)


def test_a_tag_of_nought_is_no_tag() -> None:
    assert Replaces.parse("a;to-tag=1;from-tag=0").from_tag == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";to-tag=1;from-tag=2",
        "a",
        "a;to-tag=1",
        "a;to-tag=1;to-tag=2;from-tag=3",
        "a;to-tag=1,b",
    ],
)
def test_what_is_no_replaces_gets_400(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Replaces.parse(text)

    assert caught.value.status == 400


def of(dialog: Dialog, *, early_only: bool = False) -> tuple[str, str]:
    """What A writes to have B's end of a dialog replaced; `dialog` is B's."""
    replaces = Replaces(
        call_id=dialog.call_id,
        to_tag=dialog.local_tag,
        from_tag=dialog.remote_tag,
        early_only=early_only,
    )
    return "Replaces", str(replaces)


def refused(wire: Wire, *headers: tuple[str, str]) -> int:
    """The status with which B refuses a new INVITE of A with these headers."""
    call(wire, headers=headers)
    wire.run()
    return wire.a.take(InviteFailed).code


def test_an_answered_dialog_can_be_taken_over() -> None:
    wire = make_wire()
    _, b = established(wire)

    call(wire, headers=(of(wire.b.endpoint.calls.dialog(b)),))
    wire.run()

    assert wire.b.take(InviteOffered).replaces == b


def test_an_invite_without_the_header_replaces_nothing() -> None:
    wire = make_wire()
    call(wire)
    wire.run()

    assert wire.b.take(InviteOffered).replaces is None


def test_a_dialog_that_nobody_knows_gets_481() -> None:
    assert refused(make_wire(), ("Replaces", "x;to-tag=1;from-tag=2")) == 481


def test_an_answered_dialog_where_an_early_one_was_meant_gets_486() -> None:
    wire = make_wire()
    _, b = established(wire)

    assert refused(wire, of(wire.b.endpoint.calls.dialog(b), early_only=True)) == 486


def test_an_early_dialog_of_ours_can_be_picked_up() -> None:
    wire = make_wire(supported=("replaces",))
    a = call(wire)
    wire.run()
    offered = wire.b.take(InviteOffered)
    wire.b.endpoint.calls.provisional(offered.usage, 180, wire.now)
    wire.run()
    wire.a.take(InviteProgressed)

    wire.b.endpoint.calls.invite(
        target=wire.b.endpoint.calls.dialog(offered.usage).remote_target,
        flow=wire.flow(wire.b, wire.a),
        from_=Address(uri=offered.request.to_address.uri),
        to=Address(uri=offered.request.from_address.uri),
        body=ANSWER,
        headers=(of(wire.a.endpoint.calls.dialog(a), early_only=True),),
        now=wire.now,
    )
    wire.run()

    assert wire.a.take(InviteOffered).replaces == a


def test_a_dialog_that_still_rings_here_gets_481() -> None:
    wire = make_wire()
    call(wire)
    wire.run()
    offered = wire.b.take(InviteOffered)
    wire.b.endpoint.calls.provisional(offered.usage, 180, wire.now)
    wire.run()
    wire.a.told.clear()

    assert refused(wire, of(wire.b.endpoint.calls.dialog(offered.usage))) == 481


def test_a_dialog_at_its_end_gets_603() -> None:
    wire = make_wire()
    _, b = established(wire)
    dialog = wire.b.endpoint.calls.dialog(b)
    wire.rule = lambda entry: [] if entry.label == "b BYE" else [0.01]
    wire.b.endpoint.calls.bye(b, wire.now)

    assert refused(wire, of(dialog)) == 603


def test_two_headers_get_400() -> None:
    wire = make_wire()
    _, b = established(wire)
    header = of(wire.b.endpoint.calls.dialog(b))

    assert refused(wire, header, header) == 400


def test_the_header_in_another_request_gets_400() -> None:
    wire = make_wire()
    a, b = established(wire)

    wire.a.endpoint.calls.request(
        a, "INFO", wire.now, headers=(of(wire.b.endpoint.calls.dialog(b)),)
    )
    wire.run()

    assert wire.sent[-1].label == "b 400 INFO"


def test_a_dialog_is_found_for_a_refer_with_its_tags_either_way_round() -> None:
    wire = make_wire()
    _, b = established(wire)
    dialog = wire.b.endpoint.calls.dialog(b)
    replaced = wire.b.endpoint.calls.replaced

    ours, theirs = dialog.local_tag, dialog.remote_tag
    for to_tag, from_tag in ((ours, theirs), (theirs, ours)):
        found = Replaces(call_id=dialog.call_id, to_tag=to_tag, from_tag=from_tag)
        assert replaced(found) == b
    wire.b.endpoint.calls.bye(b, wire.now)
    wire.run()
    assert wire.a.take(UsageEnded).cause == "bye"
    assert replaced(Replaces(call_id=dialog.call_id, to_tag="1", from_tag="2")) is None
