import pytest

from sip.build import OutgoingRequest
from sip.dialog import Dialog, contact_uri, header_values
from sip.errors import LocalProtocolError, RemoteProtocolError
from sip.message import URI, Request, Response, parse
from tests.support.sip_raw import FLOW, request


def invite(*headers: str) -> Request:
    lines = ("Contact: <sip:100@127.0.0.2:5070>", *headers)
    message = parse(request("INVITE", cseq=7, headers=lines))
    assert isinstance(message, Request)
    return message


def sent() -> OutgoingRequest:
    return OutgoingRequest(
        method="INVITE",
        uri="sip:200@x",
        via="SIP/2.0/UDP us;branch=z9hG4bK1;rport",
        branch="z9hG4bK1",
        from_="<sip:us@x>;tag=us",
        to="<sip:200@x>",
        call_id="c",
        cseq=3,
    )


def answer(*headers: tuple[str, str]) -> Response:
    response = Response(200, "OK")
    for name, value in (
        ("Via", "SIP/2.0/UDP us;branch=z9hG4bK1"),
        ("From", "<sip:us@x>;tag=us"),
        ("To", "<sip:200@x>;tag=them"),
        ("Call-ID", "c"),
        ("CSeq", "3 INVITE"),
        *headers,
    ):
        response.headers.add(name, value)
    return response


def as_uac(*headers: tuple[str, str]) -> Dialog:
    return Dialog.as_uac(sent(), URI.parse("sip:200@x"), "us", answer(*headers), FLOW)


def test_the_dialog_of_the_server() -> None:
    dialog = Dialog.as_uas(invite(), "local", FLOW)
    assert dialog.id == ("call-1", "local", "phone")
    assert dialog.local_party == "<sip:200@127.0.0.1>;tag=local"
    assert dialog.remote_party == "<sip:100@127.0.0.1>;tag=phone"
    assert str(dialog.remote_target) == "sip:100@127.0.0.2:5070"
    assert (dialog.local_cseq, dialog.remote_cseq) == (0, 7)


def test_an_invite_without_contact_makes_no_dialog() -> None:
    message = invite()
    message.headers.remove("Contact")
    with pytest.raises(RemoteProtocolError, match="400 Missing Contact"):
        Dialog.as_uas(message, "local", FLOW)


def test_the_dialog_of_the_client() -> None:
    dialog = as_uac(("Contact", "<sip:there>"), ("Record-Route", "<sip:p2;lr>, <sip:p1;lr>"))
    assert dialog.id == ("c", "us", "them")
    assert str(dialog.remote_target) == "sip:there"
    assert dialog.route_set == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert (dialog.local_cseq, dialog.remote_cseq) == (3, None)


@pytest.mark.parametrize("contact", ["<broken", "<sip:a>, <sip:b>", "*"])
def test_an_unreadable_contact_leaves_the_target(contact: str) -> None:
    dialog = as_uac(("Contact", contact))
    assert str(dialog.remote_target) == "sip:200@x"
    dialog.refresh_target(answer(("Contact", contact)))
    assert str(dialog.remote_target) == "sip:200@x"


def test_the_headers_of_a_contact_are_never_obeyed() -> None:
    message = answer(("Contact", '"a" <sip:a@x?Route=%3Csip:evil%3E>;q="1";x="2"'))
    assert str(contact_uri(message)) == "sip:a@x"
    assert contact_uri(answer()) is None


def test_a_target_refresh() -> None:
    dialog = as_uac(("Contact", "<sip:there>"))
    dialog.refresh_target(answer())
    assert str(dialog.remote_target) == "sip:there"
    dialog.refresh_target(answer(("Contact", "<sip:elsewhere>")))
    assert str(dialog.remote_target) == "sip:elsewhere"


def test_numbers_of_the_peer() -> None:
    dialog = as_uac()
    assert dialog.receive_cseq(50)
    assert dialog.receive_cseq(50)
    assert dialog.receive_cseq(99)
    assert not dialog.receive_cseq(98)
    assert dialog.remote_cseq == 99


def test_our_numbers() -> None:
    dialog = as_uac()
    assert [dialog.next_cseq(), dialog.next_cseq()] == [4, 5]


def bye(dialog: Dialog) -> OutgoingRequest:
    return dialog.request("BYE", cseq=4, via="v", branch="b")


def test_a_request_without_routes() -> None:
    built = bye(as_uac(("Contact", "<sip:there>")))
    assert (built.uri, built.routes) == ("sip:there", ())
    assert (built.from_, built.to) == ("<sip:us@x>;tag=us", "<sip:200@x>;tag=them")


def test_a_request_through_loose_routers() -> None:
    built = bye(as_uac(("Contact", "<sip:there>"), ("Record-Route", "<sip:p1;lr>")))
    assert (built.uri, built.routes) == ("sip:there", ("<sip:p1;lr>",))


def test_a_request_through_a_strict_router() -> None:
    routes = ("Record-Route", "<sip:p2;lr>, <sip:p1>")
    built = bye(as_uac(("Contact", "<sip:there>"), routes))
    assert (built.uri, built.routes) == ("sip:p1", ("<sip:p2;lr>", "<sip:there>"))


def test_a_route_that_can_not_be_read_is_used_as_it_is() -> None:
    built = bye(as_uac(("Contact", "<sip:there>"), ("Record-Route", "<p 1>")))
    assert (built.uri, built.routes) == ("sip:there", ("<p 1>",))


def test_header_values() -> None:
    assert header_values([]) == ()
    assert header_values(["a, b", "", " , c ,"]) == ("a", "b", "c")


def test_the_ack_and_cancel_of_a_request() -> None:
    built = sent()
    ack = bytes(built.ack("<sip:200@x>;tag=them")).decode()
    assert ack.startswith("ACK sip:200@x SIP/2.0\r\nVia: SIP/2.0/UDP us;branch=z9hG4bK1;rport\r\n")
    assert "\r\nTo: <sip:200@x>;tag=them\r\n" in ack
    assert "\r\nCSeq: 3 ACK\r\n" in ack
    cancel = bytes(built.cancel()).decode()
    assert "\r\nTo: <sip:200@x>\r\n" in cancel
    assert "\r\nCSeq: 3 CANCEL\r\n" in cancel


def test_a_name_that_is_no_header_name_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        bytes(as_uac().request("INFO", cseq=4, via="v", branch="b", headers=(("X Y", "z"),)))
