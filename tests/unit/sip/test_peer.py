"""Calls with a provider: its challenges, its other addresses, its silence."""

import pytest

from sip.address import Flow, HostPort
from sip.credentials import Account, Credentials
from sip.events import (
    Authorized,
    InviteAnswered,
    InviteFailed,
    InviteOffered,
    RequestCompleted,
    UsageEnded,
)
from sip.message import URI, Address, Request, parse
from tests.support.sip_raw import FLOW, PHONE, SERVER, STRANGER, Bench, answer_to, request

REALM = "provider.example"
WWW = f'WWW-Authenticate: Digest realm="{REALM}", nonce="n1", qop="auth"'
PROXY = WWW.replace("WWW-Authenticate", "Proxy-Authenticate")
SIBLING = Flow("UDP", SERVER, HostPort("127.0.0.3", 5070))
STRANGE = Flow("UDP", SERVER, STRANGER)
CONTACT = "Contact: <sip:200@127.0.0.2:5070>"


class Provider:
    """A peer at two addresses."""

    def __init__(self) -> None:
        account = Account(username="u1", password="secret", realms=frozenset({REALM}))
        self.credentials: Credentials | None = Credentials(account, cnonce=lambda: "c")

    def is_at(self, host: str) -> bool:
        return host in {PHONE.host, SIBLING.remote.host}


class Calls(Bench):
    """The bench with a provider."""

    def __init__(self, *, known: bool = True) -> None:
        self.peer = Provider() if known else None
        super().__init__(authorize=lambda _r, _f, _n: Authorized("provider", self.peer))

    def call(self, *, silence_s: float | None = None, caused_by: Request | None = None) -> Request:
        self.usage = self.endpoint.calls.invite(
            target=URI(scheme="sip", user="030", host=REALM),
            flow=FLOW,
            from_=Address(uri=URI(scheme="sip", user="101", host=REALM)),
            to=Address(uri=URI(scheme="sip", user="030", host=REALM)),
            body=b"v=0\r\n",
            caused_by=caused_by,
            now=self.now,
            routes=("<sip:edge.example;lr>",),
            peer=self.peer,
            silence_s=silence_s,
        )
        (sent,) = self.collect()
        assert isinstance(sent, Request)
        return sent

    def requests(self, data: bytes, flow: Flow = FLOW) -> list[Request]:
        return [each for each in self.receive(data, flow) if isinstance(each, Request)]

    def talking(self) -> Request:
        """Have a call stand that was challenged; returns its last INVITE."""
        _, again = self.requests(answer_to(self.call(), 407, headers=(PROXY,)))
        self.receive(answer_to(again, 200, headers=(CONTACT,), body="v=0\r\n"))
        self.take(InviteAnswered)
        return again


@pytest.mark.parametrize(("code", "challenge"), [(401, WWW), (407, PROXY)])
def test_a_challenged_call_is_sent_again_with_credentials(code: int, challenge: str) -> None:
    calls = Calls()
    first = calls.call()
    ack, again = calls.requests(answer_to(first, code, headers=(challenge,)))
    assert ack.method == "ACK"
    assert ack.head.via.branch == first.head.via.branch
    name = "Authorization" if code == 401 else "Proxy-Authorization"
    assert again.headers[name].startswith('Digest username="u1"')
    assert again.head.call_id == first.head.call_id
    assert again.head.from_tag == first.head.from_tag
    assert (first.head.cseq, again.head.cseq) == (1, 2)
    assert first.headers["Route"] == again.headers["Route"] == "<sip:edge.example;lr>"
    assert again.body == first.body
    sent = calls.requests(answer_to(again, 200, headers=(CONTACT,), body="v=0\r\n"))
    assert [each.method for each in sent] == ["ACK"]
    assert sent[0].headers[name] == again.headers[name], "section 22.1"
    assert calls.take(InviteAnswered).usage == calls.usage


def test_what_was_caused_by_another_call_stays_marked() -> None:
    calls = Calls()
    cause = parse(request("INVITE", body="v=0\r\n"))
    assert isinstance(cause, Request)
    first = calls.call(caused_by=cause)
    _, again = calls.requests(answer_to(first, 407, headers=(PROXY,)))
    marks = [each.head.via.branch.partition(".")[2] for each in (first, again)]
    assert marks[0]
    assert marks[0] == marks[1]
    assert again.headers["Max-Forwards"] == first.headers["Max-Forwards"] == "69"


def test_a_password_that_is_wrong_ends_the_call_after_one_answer() -> None:
    calls = Calls()
    _, again = calls.requests(answer_to(calls.call(), 407, headers=(PROXY,)))
    assert [each.method for each in calls.requests(answer_to(again, 407, headers=(PROXY,)))] == [
        "ACK"
    ]
    assert calls.take(InviteFailed).code == 407


def test_a_stranger_and_another_realm_get_nothing() -> None:
    foreign = PROXY.replace(REALM, "phone.example")
    for flow, challenge in ((STRANGE, PROXY), (FLOW, foreign)):
        calls = Calls()
        sent = calls.requests(answer_to(calls.call(), 407, headers=(challenge,)), flow)
        assert [each.method for each in sent] == ["ACK"]
        assert calls.take(InviteFailed).code == 407


def test_a_telephone_that_challenges_gets_nothing() -> None:
    calls = Calls(known=False)
    assert len(calls.requests(answer_to(calls.call(), 401, headers=(WWW,)))) == 1
    assert calls.take(InviteFailed).code == 401


def test_a_call_that_was_given_up_is_not_sent_again() -> None:
    calls = Calls()
    first = calls.call()
    calls.receive(answer_to(first, 180))
    calls.endpoint.calls.cancel(calls.usage, calls.now)
    assert calls.methods(calls.collect()) == ["CANCEL"]
    sent = calls.requests(answer_to(first, 407, headers=(PROXY,)))
    assert [each.method for each in sent] == ["ACK"]


def test_ringing_cancel_and_late_challenge_leave_nothing_behind() -> None:
    calls = Calls()
    _, again = calls.requests(answer_to(calls.call(), 407, headers=(PROXY,)))
    calls.receive(answer_to(again, 180))
    calls.endpoint.calls.cancel(calls.usage, calls.now)
    (cancel,) = calls.collect()
    assert isinstance(cancel, Request)
    assert cancel.head.via.branch == again.head.via.branch
    calls.receive(answer_to(cancel, 200))
    calls.receive(answer_to(again, 487))
    calls.wait(60.0)
    assert (calls.endpoint.usages, calls.endpoint.transactions) == (0, 0)


# --- inside the call


@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE"])
def test_requests_inside_the_call_are_vouched_for_too(method: str) -> None:
    calls = Calls()
    calls.talking()
    if method == "BYE":
        calls.endpoint.calls.bye(calls.usage, calls.now)
    elif method == "INFO":
        calls.endpoint.calls.request(calls.usage, "INFO", calls.now, body=b"x", content_type="a/b")
    else:
        calls.endpoint.calls.reinvite(calls.usage, b"v=0\r\n", calls.now)
    (sent,) = calls.collect()
    assert isinstance(sent, Request)
    *_, again = calls.requests(answer_to(sent, 401, headers=(WWW,)))
    assert again.method == method
    assert again.headers["Authorization"].count("nc=0000000") == 1
    assert again.head.cseq == sent.head.cseq + 1
    assert again.body == sent.body
    calls.receive(answer_to(again, 200, headers=(CONTACT,)))
    completed = calls.take(RequestCompleted)
    assert (completed.usage, completed.code) == (calls.usage, 200)


def test_what_acknowledges_early_media_is_vouched_for_too() -> None:
    """And a PRACK that nobody knows any more ends no call."""
    calls = Calls()
    _, again = calls.requests(answer_to(calls.call(), 407, headers=(PROXY,)))
    early = (CONTACT, "Require: 100rel", "RSeq: 1")
    (prack,) = calls.requests(answer_to(again, 183, headers=early, body="v=0\r\n"))
    assert prack.method == "PRACK"
    (second,) = calls.requests(answer_to(prack, 407, headers=(PROXY.replace("n1", "n2"),)))
    assert second.headers["RAck"] == prack.headers["RAck"]
    assert 'nonce="n2"' in second.headers["Proxy-Authorization"]
    assert second.head.cseq > prack.head.cseq
    calls.receive(answer_to(again, 200, headers=(CONTACT,)))
    assert calls.requests(answer_to(second, 481)) == []
    assert not [event for event in calls.told if isinstance(event, UsageEnded)]


def test_inside_the_call_too_only_the_peer_is_answered() -> None:
    calls = Calls()
    calls.talking()
    calls.endpoint.calls.bye(calls.usage, calls.now)
    (sent,) = calls.collect()
    assert isinstance(sent, Request)
    assert calls.requests(answer_to(sent, 401, headers=(WWW,)), STRANGE) == []


def test_what_we_ask_in_a_call_that_came_from_the_peer_is_vouched_for() -> None:
    calls = Calls()
    calls.receive(request("INVITE", body="v=0\r\n"))
    usage = calls.take(InviteOffered).usage
    calls.endpoint.calls.answer(usage, b"v=0\r\n", calls.now)
    (answer,) = calls.collect()
    calls.receive(request("ACK", branch="z9hG4bKack", to_tag=answer.head.to_tag))
    calls.told.clear()
    calls.endpoint.calls.bye(usage, calls.now)
    (sent,) = calls.collect()
    assert isinstance(sent, Request)
    (again,) = calls.requests(answer_to(sent, 407, headers=(PROXY,)))
    assert again.headers["Proxy-Authorization"].startswith("Digest")


@pytest.mark.parametrize(
    ("flow", "known", "code"), [(SIBLING, True, 200), (SIBLING, False, 481), (STRANGE, True, 481)]
)
def test_a_bye_from_another_address_of_the_same_peer(flow: Flow, known: bool, code: int) -> None:  # noqa: FBT001
    calls = Calls(known=known)
    calls.receive(request("INVITE", body="v=0\r\n"))
    usage = calls.take(InviteOffered).usage
    calls.endpoint.calls.answer(usage, b"v=0\r\n", calls.now)
    (answer,) = calls.collect()
    tag = answer.head.to_tag
    calls.receive(request("ACK", branch="z9hG4bKack", to_tag=tag), flow)
    calls.told.clear()
    bye = request("BYE", cseq=2, branch="z9hG4bKbye", to_tag=tag)
    assert calls.codes(calls.receive(bye, flow)) == [code]
    if code == 200:
        assert calls.take(UsageEnded).usage == usage


# --- silence


def test_a_server_that_says_nothing_at_all_is_given_up_soon() -> None:
    calls = Calls()
    calls.call(silence_s=6.0)
    calls.wait(5.9)
    assert calls.told == []
    calls.wait(0.2)
    failed = calls.take(InviteFailed)
    assert (failed.code, failed.response) == (408, None)


def test_who_has_said_100_gets_its_time() -> None:
    calls = Calls()
    first = calls.call(silence_s=6.0)
    calls.receive(answer_to(first, 100))
    calls.wait(60.0)
    assert calls.told == []


def test_an_answer_after_the_silence_is_ended_again() -> None:
    calls = Calls()
    first = calls.call(silence_s=6.0)
    calls.wait(7.0)
    calls.take(InviteFailed)
    sent = calls.requests(answer_to(first, 200, headers=(CONTACT,), body="v=0\r\n"))
    assert [each.method for each in sent] == ["ACK", "BYE"]
