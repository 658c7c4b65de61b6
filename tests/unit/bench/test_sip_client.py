"""The bench's telephone, against itself and against the examples of the RFCs."""

from bench import sip_text
from bench.sip_call import Account, Call
from bench.sip_client import Phone
from bench.sip_loop import Loop
from bench.sip_text import Message


def joined_phones() -> tuple[Phone, Phone]:
    """Two phones, each of which takes the other for its server."""
    caller = Phone("127.0.0.2", ("127.0.0.3", 0), ("127.0.0.2", 4000))
    callee = Phone("127.0.0.3", caller.address, ("127.0.0.3", 5000))
    caller._server = callee.address
    return caller, callee


def test_a_call_from_dialling_to_the_end() -> None:
    caller, callee = joined_phones()
    loop = Loop(caller, callee)
    with caller.socket, callee.socket:
        call = caller.dial(Account(user="1001", password="x"), "2001")
        assert loop.run(lambda: call.answered_at > 0, 5)
        (other,) = callee.calls.values()
        assert (other.peer, other.account.user) == ("1001", "2001")
        assert call.media == ("127.0.0.3", 5000)
        assert other.media == ("127.0.0.2", 4000)
        assert call.ringing_at > 0
        assert loop.run(lambda: not callee._unacknowledged, 5)
        caller.hang_up(call)
        assert loop.run(lambda: call.ended_at > 0 and other.ended_at > 0, 5)
        assert (call.failure, other.failure) == ("", "")
        assert caller.problems == callee.problems == []


def test_the_digest_of_rfc_2617_without_qop_and_with() -> None:
    challenge = 'Digest realm="testrealm@host.com", nonce="dcd98b", opaque="5ccc", algorithm=MD5'
    value = sip_text.authorization(challenge, "Mufasa", "Circle", "REGISTER", "sip:host")
    ha1 = sip_text.md5("Mufasa:testrealm@host.com:Circle")
    ha2 = sip_text.md5("REGISTER:sip:host")
    assert f'response="{sip_text.md5(f"{ha1}:dcd98b:{ha2}")}"' in value
    assert 'opaque="5ccc"' in value
    assert "qop" not in value
    with_qop = sip_text.authorization(
        challenge + ', qop="auth,auth-int"', "Mufasa", "Circle", "REGISTER", "sip:host"
    )
    assert "qop=auth, nc=00000001" in with_qop


def test_the_md5_of_rfc_2617_section_3_5() -> None:
    assert (
        sip_text.md5("Mufasa:testrealm@host.com:Circle Of Life")
        == "939e7578ed9e3c518a452acee763bce9"
    )


def test_the_md5_challenge_is_chosen() -> None:
    response = Message(
        b"SIP/2.0 401 Unauthorized\r\n"
        b'WWW-Authenticate: Digest realm="r", nonce="2", algorithm=SHA-256\r\n'
        b'WWW-Authenticate: Digest realm="r", nonce="1", algorithm=MD5\r\n\r\n'
    )
    assert 'nonce="1"' in sip_text.md5_challenge(response)


def test_compact_headers_and_bodies_are_read() -> None:
    message = Message(b"INVITE sip:5@h SIP/2.0\r\nf: <sip:1@h>;tag=7\r\nl: 2\r\n\r\nhi")
    assert message.one("from") == "<sip:1@h>;tag=7"
    assert (message.method, message.body, message.status) == ("INVITE", "hi", 0)


def test_media_address_refuses_a_refused_stream() -> None:
    body = sip_text.sdp(("127.0.0.2", 4000))
    assert sip_text.media_address(body) == ("127.0.0.2", 4000)
    assert sip_text.media_address(body.replace("4000", "0")) is None


def test_an_invite_is_sent_again_until_something_answers() -> None:
    caller, callee = joined_phones()
    with caller.socket, callee.socket:
        call = caller.dial(Account(user="1001", password="x"), "2001")
        caller.retransmit(call.begun_at + 0.6)
        assert caller.retransmissions == 1
        callee.read()
        caller.read()
        caller.retransmit(call.begun_at + 30)
        assert caller.retransmissions == 1


def test_a_call_that_nobody_answers_fails_after_64_t1() -> None:
    caller, callee = joined_phones()
    with caller.socket, callee.socket:
        call: Call = caller.dial(Account(user="1001", password="x"), "2001")
        caller.retransmit(call.begun_at + 0.6)
        caller.retransmit(call.begun_at + 33)
        assert call.failure == "INVITE timed out"
        assert call.ended_at > 0
