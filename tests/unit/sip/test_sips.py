"""`sips` URIs: what is secured stays so in our Contact (RFC 3261 sections 8.1.1.8, 12.1.1)."""

from sip.address import Flow, HostPort
from sip.endpoint import Endpoint
from sip.events import InviteOffered
from sip.message import URI, Address, Request, Response, parse
from tests.support.sip_pair import authorize_all

SERVER, PHONE = HostPort("192.0.2.100", 5061), HostPort("192.0.2.1", 40000)
FLOW = Flow("TLS", SERVER, PHONE)
OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"


def endpoint() -> Endpoint:
    return Endpoint(contact=SERVER, authorize=authorize_all)


def sent(ours: Endpoint) -> list[Request | Response]:
    return [parse(data) for data, _ in ours.send_queue()]


def invite(target: str) -> Request:
    ours = endpoint()
    ours.calls.invite(
        target=URI.parse(target),
        flow=FLOW,
        from_=Address.parse("<sip:a@x>"),
        to=Address.parse("<sip:b@x>"),
        body=OFFER,
        now=0.0,
    )
    (message,) = sent(ours)
    assert isinstance(message, Request)
    return message


def test_a_call_to_a_sips_contact_has_one_of_ours() -> None:
    secured = invite("sips:102@192.0.2.1:40000")
    assert str(secured.uri) == "sips:102@192.0.2.1:40000"
    assert secured.headers["Contact"] == "<sips:192.0.2.100:5061>"
    assert secured.headers["Via"].startswith("SIP/2.0/TLS ")


def test_over_tls_alone_the_contact_says_the_transport() -> None:
    plain = invite("sip:102@192.0.2.1:40000;transport=tls")
    assert plain.headers["Contact"] == "<sip:192.0.2.100:5061;transport=tls>"


def answered(uri: str) -> list[str]:
    """Return our Contacts of the dialog of a call to `uri`: in 180, 200, re-INVITE."""
    ours = endpoint()
    request = (
        f"INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.1:40000;branch=z9hG4bK1\r\n"
        "From: <sips:101@x>;tag=a\r\nTo: <sips:102@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sips:101@192.0.2.1:40000>\r\nMax-Forwards: 70\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(OFFER)}\r\n\r\n"
    )
    ours.receive(request.encode() + OFFER, FLOW, 0.0)
    (offered,) = ours.events()
    assert isinstance(offered, InviteOffered)
    sent(ours)
    ours.calls.provisional(offered.usage, 180, 0.0)
    ours.calls.answer(offered.usage, OFFER, 0.0)
    ringing, ok = sent(ours)
    ack = (
        request.replace("INVITE", "ACK")
        .replace("z9hG4bK1", "z9hG4bK2")
        .replace("To: <sips:102@x>", f"To: {ok.headers['To']}")
    )
    ours.receive(ack.encode() + OFFER, FLOW, 0.1)
    ours.calls.reinvite(offered.usage, OFFER, 0.2)
    (again,) = sent(ours)
    return [message.headers["Contact"] for message in (ringing, ok, again)]


def test_the_dialog_of_a_sips_call_is_secure_to_its_end() -> None:
    assert set(answered("sips:102@192.0.2.100")) == {"<sips:192.0.2.100:5061>"}
    assert set(answered("sip:102@192.0.2.100")) == {"<sip:192.0.2.100:5061;transport=tls>"}


def test_every_flow_is_told_an_address_of_its_own() -> None:
    ours = endpoint()
    ours.advertise(lambda flow: HostPort("203.0.113.7", flow.local.port))
    assert ours.advertised(FLOW) == HostPort("203.0.113.7", 5061)
    ours.calls.invite(
        target=URI.parse("sip:102@192.0.2.1"),
        flow=FLOW,
        from_=Address.parse("<sip:a@x>"),
        to=Address.parse("<sip:b@x>"),
        body=OFFER,
        now=0.0,
    )
    (message,) = sent(ours)
    assert message.headers["Via"].startswith("SIP/2.0/TLS 203.0.113.7:5061;branch=")
    assert message.headers["Contact"] == "<sip:203.0.113.7:5061;transport=tls>"


def test_a_call_goes_with_its_device_to_another_flow() -> None:
    ours = endpoint()
    request = (
        "INVITE sip:102@192.0.2.100 SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.1:40000;branch=z9hG4bK1\r\n"
        "From: <sip:101@x>;tag=a\r\nTo: <sip:102@x>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sip:101@192.0.2.1:40000>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    ours.receive(request.encode(), FLOW, 0.0)
    (offered,) = ours.events()
    assert isinstance(offered, InviteOffered)
    ours.calls.answer(offered.usage, OFFER, 0.0)
    (ok,) = [message for message in sent(ours) if message.headers.get("Contact")]
    ack = (
        request.replace("INVITE", "ACK")
        .replace("z9hG4bK1", "z9hG4bK2")
        .replace("To: <sip:102@x>", f"To: {ok.headers['To']}")
    )
    ours.receive(ack.encode(), FLOW, 0.1)
    ours.connection_lost(FLOW, 1.0)
    moved = Flow("TLS", SERVER, HostPort("192.0.2.1", 40001))
    ours.calls.move(FLOW, moved)
    assert moved in ours.flows()
    ours.calls.bye(offered.usage, 2.0)
    ((data, flow),) = ours.send_queue()
    assert data.startswith(b"BYE sip:101@192.0.2.1:40000 ")
    assert flow == moved
