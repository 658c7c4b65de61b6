"""REGISTER and OPTIONS of ours: sent, challenged by the peer or by somebody else, answered."""

import pytest

from sip.address import Flow, HostPort
from sip.credentials import Account, Credentials
from sip.events import RequestCompleted
from sip.message import URI, Address, Request
from sip.outside_client import OutsideRequest
from tests.support.sip_raw import FLOW, PHONE, SERVER, STRANGER, Bench, answer_to

REALM = "provider.example"
CHALLENGE = f'WWW-Authenticate: Digest realm="{REALM}", nonce="n1", qop="auth"'
URI_ = URI(scheme="sip", host=REALM)


class Provider:
    """A peer at the phone's address."""

    def __init__(self) -> None:
        account = Account(username="u1", password="secret", realms=frozenset({REALM}))
        self.credentials: Credentials | None = Credentials(account)

    def is_at(self, host: str) -> bool:
        return host == PHONE.host


class Asker(Bench):
    """The bench, and its requests."""

    def __init__(self) -> None:
        super().__init__()
        self.series = self.endpoint.series()
        self.peer = Provider()

    def ask(self, method: str = "REGISTER", **more: object) -> Request:
        ourselves = Address(uri=URI(scheme="sip", user="u1", host=REALM))
        settings: dict[str, object] = {
            "method": method,
            "target": URI_,
            "flow": FLOW,
            "from_": ourselves,
            "to": ourselves,
            "series": self.series,
            "peer": self.peer,
        }
        request = OutsideRequest(**(settings | more))  # type: ignore[arg-type]  # of a test
        self.id = self.endpoint.ask(request, self.now)
        (sent,) = self.collect()
        assert isinstance(sent, Request)
        return sent

    def again(self, asked: Request, *headers: str, code: int = 401, flow: Flow = FLOW) -> Request:
        """Challenge a request and return the one that follows."""
        (sent,) = self.receive(answer_to(asked, code, headers=headers), flow)
        assert isinstance(sent, Request)
        return sent


def test_a_register_as_it_goes_out() -> None:
    asker = Asker()
    sent = asker.ask(
        headers=(("Expires", "600"),),
        routes=("<sip:edge.example;lr>",),
        contact_user="f00d",
        contact_parameters=";bnc",
    )
    assert (sent.method, str(sent.uri)) == ("REGISTER", f"sip:{REALM}")
    assert sent.headers["To"] == f"<sip:u1@{REALM}>"
    assert sent.headers["From"].startswith(f"<sip:u1@{REALM}>;tag=")
    assert sent.headers["Contact"] == f"<sip:f00d@{SERVER};bnc>"
    assert sent.headers["Route"] == "<sip:edge.example;lr>"
    assert sent.headers["Expires"] == "600"
    assert (sent.head.cseq, sent.head.call_id) == (1, asker.series.call_id)


def test_the_next_one_has_the_same_call_id_and_a_higher_number() -> None:
    asker = Asker()
    first, second = asker.ask(), asker.ask()
    assert first.head.call_id == second.head.call_id
    assert first.head.from_tag == second.head.from_tag
    assert (first.head.cseq, second.head.cseq) == (1, 2)
    assert first.head.via.branch != second.head.via.branch


def test_our_contact_over_a_connection_says_so() -> None:
    flow = Flow("TCP", SERVER, PHONE)
    sent = Asker().ask(flow=flow, contact_user="f00d", contact_parameters=";bnc")
    assert sent.headers["Contact"] == f"<sip:f00d@{SERVER};transport=tcp;bnc>"


def test_a_challenge_is_answered_and_the_result_told() -> None:
    asker = Asker()
    sent = asker.ask(headers=(("Expires", "600"),))
    again = asker.again(sent, CHALLENGE)
    assert again.headers["Authorization"].startswith('Digest username="u1"')
    assert again.headers["Expires"] == "600"
    assert again.head.cseq == sent.head.cseq + 1
    assert again.head.call_id == sent.head.call_id
    assert again.head.via.branch != sent.head.via.branch
    assert asker.receive(answer_to(again, 200)) == []
    completed = asker.take(RequestCompleted)
    assert (completed.usage, completed.request_id, completed.code) == (None, asker.id, 200)
    assert asker.told == []
    asker.wait(60.0)
    assert asker.endpoint.transactions == 0


def test_a_wrong_password_is_told_after_one_answer() -> None:
    asker = Asker()
    again = asker.again(asker.ask(), CHALLENGE)
    assert asker.receive(answer_to(again, 401, headers=(CHALLENGE,))) == []
    assert asker.take(RequestCompleted).code == 401


def test_a_stale_nonce_costs_one_more_answer() -> None:
    asker = Asker()
    again = asker.again(asker.ask(), CHALLENGE)
    third = asker.again(again, CHALLENGE.replace("n1", "n2") + ", stale=true")
    assert third.headers.getlist("Authorization")[0].count('nonce="n2"') == 1
    assert len(third.headers.getlist("Authorization")) == 1
    stale = CHALLENGE.replace("n1", "n3") + ", stale=true"
    assert asker.receive(answer_to(third, 401, headers=(stale,))) == []


@pytest.mark.parametrize("code", [401, 407])
def test_a_stranger_who_challenges_gets_nothing(code: int) -> None:
    """He has seen the request, so he knows its branch."""
    asker = Asker()
    flow = Flow("UDP", SERVER, STRANGER)
    assert asker.receive(answer_to(asker.ask(), code, headers=(CHALLENGE,)), flow) == []
    assert asker.take(RequestCompleted).code == code


def test_another_realm_gets_nothing() -> None:
    asker = Asker()
    foreign = CHALLENGE.replace(REALM, "phone.example")
    assert asker.receive(answer_to(asker.ask(), 401, headers=(foreign,))) == []
    assert asker.take(RequestCompleted).code == 401


def test_who_has_no_account_answers_nothing() -> None:
    asker = Asker()
    asker.peer.credentials = None
    assert asker.receive(answer_to(asker.ask(), 401, headers=(CHALLENGE,))) == []
    sent = asker.ask("OPTIONS", peer=None)
    assert asker.receive(answer_to(sent, 407, headers=(CHALLENGE,))) == []


def test_only_a_challenge_is_answered() -> None:
    asker = Asker()
    assert asker.receive(answer_to(asker.ask(), 403, headers=(CHALLENGE,))) == []


def test_silence_is_told_as_408() -> None:
    asker = Asker()
    asker.ask("OPTIONS")
    asker.wait(40.0)
    completed = asker.take(RequestCompleted)
    assert (completed.code, completed.response) == (408, None)


def test_no_way_there_is_told_as_503() -> None:
    asker = Asker()
    asker.ask()
    asker.endpoint.transport_failed(Flow("UDP", SERVER, HostPort(PHONE.host, PHONE.port)), 0.0)
    assert asker.take(RequestCompleted).code == 503


def test_a_provisional_response_is_no_result() -> None:
    asker = Asker()
    sent = asker.ask()
    asker.receive(answer_to(sent, 100))
    assert asker.told == []
    asker.receive(answer_to(sent, 200))
    assert asker.take(RequestCompleted).code == 200
