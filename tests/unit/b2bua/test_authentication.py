"""The gate before any transaction: trunks by address, extensions by password, nobody else."""

from dataclasses import replace

import pytest

from b2bua.authentication import ALLOW, Anonymous, Gate
from b2bua.config import parse
from b2bua.directory import Directory
from b2bua.trunks.trunk import Trunk, Trunks
from sip.address import Flow, HostPort
from sip.digest import Challenger, ha1
from sip.events import Authorized, Refused
from sip.message import Request
from sip.message import parse as parse_message
from tests.support.challenges import HOST, REALM, Phone
from tests.support.sip_raw import request
from tests.unit.b2bua.calls.call_rig import extension

TRUNK_HOST = "203.0.113.1"
TRUNKS = Trunks(parse(f'[[trunk]]\nname = "t"\naddress = "{TRUNK_HOST}"\n', "test").trunk)
OURS = HostPort("192.0.2.1", 5060)
FROM_PHONE = Flow("UDP", OURS, HostPort(HOST, 5060))
FROM_TRUNK = Flow("UDP", OURS, HostPort(TRUNK_HOST, 5060))
NOW = 100.0


class Entrance:
    """A gate, and the extension 101 behind it."""

    def __init__(self, *, accepting: bool = True) -> None:
        self.directory = Directory()
        known = replace(extension("101"), ha1=ha1("101", REALM, "secret of 101"))
        self.directory._by_number["101"] = known
        self.gate = Gate(
            challenger=Challenger(REALM, b"secret"),
            directory=self.directory,
            trunks=TRUNKS,
            algorithms=("MD5",),
            allow_no_qop=True,
            accepting=lambda: accepting,
        )

    def ask(
        self,
        method: str,
        flow: Flow = FROM_PHONE,
        *,
        uri: str = "sip:102@192.0.2.1",
        to: str = "101",
        headers: tuple[str, ...] = (),
    ) -> Authorized | Refused:
        octets = request(method, uri=uri, headers=("Contact: <sip:1@192.0.2.10>", *headers))
        message = parse_message(octets.replace(b"To: <sip:200@", f"To: <sip:{to}@".encode()))
        assert isinstance(message, Request)
        return self.gate.authorize(message, flow, NOW)

    def verified(
        self, method: str, phone: Phone | None = None, *, to: str = "101", flow: Flow = FROM_PHONE
    ) -> Authorized | Refused:
        """Answer the challenge to a request."""
        refused = self.ask(method)
        assert isinstance(refused, Refused)
        answer = (phone or Phone()).answer(dict(refused.headers)["WWW-Authenticate"], method)
        return self.ask(method, flow, to=to, headers=(f"Authorization: {answer}",))


def code(answer: Authorized | Refused) -> int:
    return answer.code if isinstance(answer, Refused) else 200


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_trunk_is_known_by_its_address_and_never_challenged(method: str) -> None:
    answer = Entrance().ask(method, FROM_TRUNK)
    assert isinstance(answer, Authorized)
    assert isinstance(answer.identity, Trunk)


def test_nobody_at_a_trunks_address_is_an_extension() -> None:
    answer = Entrance().verified("INVITE", flow=FROM_TRUNK)
    assert isinstance(answer, Authorized)
    assert isinstance(answer.identity, Trunk), "whatever password it brings"
    assert code(Entrance().ask("REGISTER", FROM_TRUNK)) == 403
    assert code(Entrance().ask("SUBSCRIBE", FROM_TRUNK)) == 403
    assert code(Entrance().verified("REGISTER", flow=FROM_TRUNK)) == 403


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE"])
def test_everybody_else_is_challenged(method: str) -> None:
    answer = Entrance().ask(method)
    assert isinstance(answer, Refused)
    assert answer.code == 401
    assert dict(answer.headers)["WWW-Authenticate"].startswith("Digest ")


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE"])
def test_an_extension_is_known_by_its_password(method: str) -> None:
    entrance = Entrance()
    answer = entrance.verified(method)
    assert isinstance(answer, Authorized)
    assert answer.identity is entrance.directory.get("101")


def test_known_and_unknown_users_get_the_same_answer() -> None:
    wrong, unknown = Phone(password="guess"), Phone(username="999")
    answers = [Entrance().verified("INVITE", phone) for phone in (wrong, unknown)]
    assert [code(answer) for answer in answers] == [401, 401]
    names = [[name for name, _ in a.headers] for a in answers if isinstance(a, Refused)]
    assert names[0] == names[1]


def test_a_disabled_extension_is_nobody() -> None:
    entrance = Entrance()
    entrance.directory.remove("101")
    assert code(entrance.verified("INVITE")) == 401


def test_a_phone_registers_its_own_number_only() -> None:
    assert code(Entrance().verified("REGISTER")) == 200
    assert code(Entrance().verified("REGISTER", to="102")) == 403
    assert code(Entrance().verified("INVITE", to="102")) == 200


@pytest.mark.parametrize("flow", [FROM_PHONE, FROM_TRUNK])
@pytest.mark.parametrize(
    ("method", "uri", "told"),
    [
        ("INVITE", "tel:+49301234", 416),
        ("MESSAGE", "sip:101@192.0.2.1", 405),
        ("NOTIFY", "sip:101@192.0.2.1", 405),
        ("BYE", "sip:101@192.0.2.1", 405),
        ("REFER", "sip:101@192.0.2.1", 405),
        ("FROBNICATE", "sip:101@192.0.2.1", 501),
    ],
)
def test_what_nobody_may(flow: Flow, method: str, uri: str, told: int) -> None:
    answer = Entrance().ask(method, flow, uri=uri)
    assert code(answer) == told
    assert isinstance(answer, Refused)
    if told in {405, 501}:
        assert dict(answer.headers)["Allow"] == ALLOW
        assert "INFO" in ALLOW


def test_whether_we_live_may_be_asked_by_anybody() -> None:
    answer = Entrance(accepting=False).ask("OPTIONS", uri="sip:192.0.2.1")
    assert answer == Authorized(Anonymous())


@pytest.mark.parametrize("flow", [FROM_PHONE, FROM_TRUNK])
def test_a_server_that_stops_takes_nobody(flow: Flow) -> None:
    answer = Entrance(accepting=False).ask("INVITE", flow)
    assert answer == Refused(503, "Service Unavailable", (("Retry-After", "10"),))
