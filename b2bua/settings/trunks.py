"""`[[trunk]]`, `[[route]]`, `[emergency]`: the ways outside."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from b2bua.dial_pattern import DialPattern, DialPatternError
from b2bua.settings.dtmf import USUAL, Ways
from b2bua.settings.media import LatchChoice
from b2bua.settings.section import Section
from b2bua.settings.values import TRANSPORTS, ExtensionNumber, Number, each_once, installed
from b2bua.trunks.numbers import Form, NumberPlan
from sip.address import HostPort, Transport, is_numeric
from sip.errors import LocalProtocolError
from sip.secure_media import Srtp

_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\.?",
    re.ASCII | re.IGNORECASE,
)
_USER: Final = r"^[A-Za-z0-9\-_.!~*'()&=+$,;?/%]{1,80}$"
"What may stand before the @ of a SIP URI (RFC 3261 section 25.1)."

_QUOTABLE: Final = r"^[^\x00-\x1f\x7f]{1,128}$"


@dataclass(frozen=True, slots=True)
class TrunkAddress:
    """Where a trunk is, and what its requests come from."""

    host: str
    "A numeric address, or a name in lower case."
    port: int | None
    "None: they may come from any port, and ours go where its name says, or to the usual port."

    def __str__(self) -> str:
        return self.host if self.port is None else str(HostPort(self.host, self.port))


def _is_name(host: str) -> bool:
    """Tell whether a host is a name; one that ends in a number means an address (RFC 1123)."""
    last = host.rstrip(".").rpartition(".")[2]
    return _NAME.fullmatch(host) is not None and not last.isdigit()


def _trunk_address(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, colon, port = value.partition(":")
    if _is_name(host):
        if not colon:
            return TrunkAddress(host.lower().rstrip("."), None)
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= 0xFFFF):
            raise ValueError(f"not a port: {value!r}")
        return TrunkAddress(host.lower().rstrip("."), int(port))
    try:
        parsed = HostPort.parse(value, default_port=0)
    except LocalProtocolError as error:
        raise ValueError(str(error)) from error
    return TrunkAddress(parsed.host, parsed.port or None)


def _one_or_several(value: object) -> object:
    return value if isinstance(value, list | tuple) else (value,)


def _dial_pattern(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return DialPattern.parse(value)
    except DialPatternError as error:
        raise ValueError(str(error)) from error


Address = Annotated[TrunkAddress, BeforeValidator(_trunk_address)]

Addresses = Annotated[
    tuple[Address, ...], BeforeValidator(_one_or_several), Field(min_length=1, max_length=8)
]


def _domain(value: str) -> str:
    if not is_numeric(value) and not _is_name(value):
        raise ValueError(f"not a domain: {value!r}")
    return value.lower().rstrip(".")


Domain = Annotated[str, AfterValidator(_domain)]


def _names(value: object) -> object:
    """Take one name, several, or an empty one for none."""
    return () if value == "" else _one_or_several(value)


class EmergencyConfig(Section):
    """`[emergency]`: numbers that go before every rule and limit and are never recorded."""

    numbers: tuple[Annotated[str, Field(pattern=r"^[0-9]{2,8}$")], ...] = ("110", "112")
    exit_digits: tuple[Annotated[str, Field(pattern=r"^[0-9*#]{1,4}$")], ...] = ("0",)
    "What people dial before an outside number; the emergency numbers are known behind it, too."
    trunk: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    "Names of the trunks that take them, best first; empty: all, in the order of the file."


class AccountConfig(Section):
    """`[trunk.account]`: what a provider gave us to prove who we are."""

    username: str = Field(pattern=_QUOTABLE)
    "Of the digest."
    password: SecretStr = Field(min_length=1, max_length=256)
    user: str = Field(default="", pattern=rf"{_USER}|^$")
    "Before the @ of our own address; empty: the username."
    realm: Annotated[
        tuple[Annotated[str, Field(pattern=_QUOTABLE)], ...], BeforeValidator(_one_or_several)
    ] = ()
    "Whose challenges are answered; empty: those of the trunk's domain."
    register_: bool = Field(default=True, alias="register")
    "Whether we register, or only answer challenges to our calls."
    registrars: Annotated[
        tuple[Address, ...], BeforeValidator(_one_or_several), Field(max_length=8)
    ] = ()
    "Tried in this order; empty: the trunk's addresses."
    expires_s: int = Field(default=600, ge=30, le=86_400)
    keepalive_s: int = Field(default=25, ge=0, le=3600)
    """Seconds between two signs of life (an empty line, RFC 5626 section 4.4.1) to where we are
    registered: they keep a NAT's door open for calls. 0: none."""
    by_contact: bool = True
    """Calls to the contact that we registered are the trunk's, wherever they come from: providers
    send them from addresses that no name leads to. The contact can't be guessed."""
    gin: bool = False
    "Register all numbers at once (RFC 6140)."

    @property
    def aor_user(self) -> str:
        """The user part of our address with the provider."""
        return self.user or self.username


class NumbersConfig(Section):
    """`[trunk.numbers]`: how numbers are written there."""

    country_code: str = Field(default="", pattern=r"^([1-9][0-9]{0,2})?$")
    "Ours, without a prefix; empty: no number is changed."
    international_prefix: str = Field(default="00", pattern=r"^[0-9]{1,5}$")
    national_prefix: str = Field(default="0", pattern=r"^[0-9]{1,3}$")
    called: Form = "unchanged"
    "How the trunk wants the numbers that we call."
    caller: Form = "unchanged"
    "How it wants the number of who calls."
    incoming: Form = "unchanged"
    "How extensions and call records see numbers that come from it."
    incoming_prefix: str = Field(default="", pattern=r"^[0-9*#]{0,4}$")
    "What extensions see before them, so that they can call back: the digit for an outside line."

    @model_validator(mode="after")
    def _readable(self) -> "NumbersConfig":
        forms = {self.called, self.caller, self.incoming}
        if forms != {"unchanged"} and not self.country_code:
            raise ValueError("a form needs the country_code")
        return self

    @property
    def plan(self) -> NumberPlan:
        """What numbers begin with."""
        return NumberPlan(
            country_code=self.country_code,
            international_prefix=self.international_prefix,
            national_prefix=self.national_prefix,
        )


class IdentityConfig(Section):
    """`[trunk.identity]`: what the trunk is told of who calls."""

    from_: Literal["caller", "account"] = Field(default="caller", alias="from")
    "Whom From names."
    asserted: bool = False
    "P-Asserted-Identity with the caller's number (RFC 3325)."
    preferred: bool = False
    "P-Preferred-Identity with it."
    show_dids: bool = False
    "An extension that has a number of its own on the trunk shows that in place of `caller_id`."
    withhold: bool = False
    "Never show a number, but in an emergency."
    anonymous_from: bool = True
    "Who withholds the number is anonymous in From; false: `Privacy: id` alone says so."
    forwarded: Annotated[
        tuple[Literal["diversion", "history-info"], ...], AfterValidator(each_once)
    ] = ("diversion",)
    "Headers that name the extensions which have sent a call on (RFC 5806, RFC 7044)."


class TrunkConfig(Section):
    """`[[trunk]]`: a provider, or another telephone system."""

    name: str = Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")
    address: Addresses
    """`192.0.2.1`, `sip.example.com` or several; with a port (`192.0.2.1:5080`) only what comes
    from that port is the trunk."""
    transport: Literal["auto", "udp", "tcp", "tls"] = "udp"
    "`auto`: what the domain says that it likes best (NAPTR and SRV records, RFC 3263)."
    client_certificate: Domain = ""
    "The name in the certificate that it has to show when it connects; empty: none is needed."
    domain: Domain = ""
    "Behind the @ of what we call, and of our own address there; empty: the first address."
    outbound_proxy: Annotated[
        tuple[Address, ...], BeforeValidator(_names), Field(max_length=8)
    ] = ()
    "Where our requests go instead of the address, best first (RFC 3261 section 8.1.2)."
    account: AccountConfig | None = None
    latch: LatchChoice = "exact"
    "Which sources its media may come from, beside the one that it names: as in `[media]`."
    numbers: NumbersConfig = NumbersConfig()
    identity: IdentityConfig = IdentityConfig()
    max_calls: int = Field(default=0, ge=0, le=10_000)
    """Calls in both directions at the same time; 0: as many as there are. Beyond it the next trunk
    of a route is taken, and callers from outside find it busy."""
    monitor_s: int = Field(default=0, ge=0, le=3600)
    """Seconds between two OPTIONS that ask whether it is there; 0: it is not asked. One that is
    not there is passed over."""
    did_from: Literal["request-uri", "to", "p-called-party-id"] = "request-uri"
    "Where its calls say whom they are for."
    caller_from: Literal["from", "p-asserted-identity"] = "from"
    "Where they say who calls; without that header From counts."
    dids: dict[Number, ExtensionNumber] = Field(default_factory=dict)
    "Numbers that the trunk calls, and whose they are; an extension's own number always works."
    fax: tuple[Number, ...] = ()
    "Those of the `dids` behind which a fax stands: no question, no recording, G.711 alone."
    otherwise: ExtensionNumber | None = None
    "Whose a call is to a number that is none of ours; default: nobody's (404)."
    caller_id: Number | None = None
    "Shown to those whom we call; default: the extension's number."

    srtp: Srtp | None = None
    "`off`, `optional` or `required`; default: as `[media]` says."
    dtmf: Ways = USUAL
    "In which ways keys are taken from whoever is behind it, and sent there."
    hold_music: bool = True
    "Whoever is behind it hears our music when an extension holds."

    may_transfer: bool = False
    "Take its REFER: it may then send whom we talk to through it to the numbers that it can call."

    @field_validator("srtp")
    @classmethod
    def _can_do_srtp(cls, value: Srtp | None) -> Srtp | None:
        return None if value is None else installed(value)

    @field_validator("monitor_s")
    @classmethod
    def _not_too_often(cls, value: int) -> int:
        if 0 < value < 10:
            raise ValueError("0, or 10 seconds at least")
        return value

    @model_validator(mode="after")
    def _faxes_known(self) -> "TrunkConfig":
        for number in self.fax:
            if number not in self.dids:
                raise ValueError(f"the fax {number} is none of the dids")
        return self

    @model_validator(mode="after")
    def _account_fits(self) -> "TrunkConfig":
        account = self.account
        if account is None:
            return self
        if not account.realm and is_numeric(self.sip_domain):
            raise ValueError(
                "an account needs its realm, or the trunk its domain, where the address is a number"
            )
        if not re.fullmatch(_USER, account.aor_user):
            raise ValueError("the account's username is no part of an address: give its user too")
        return self

    @property
    def sip_transport(self) -> Transport | None:
        """The transport as Via names it; None: the domain may choose."""
        return TRANSPORTS.get(self.transport)

    @property
    def sip_domain(self) -> str:
        """The domain, without brackets."""
        return self.domain or self.address[0].host

    @property
    def has_domain(self) -> bool:
        """Whether our address there is in its domain, and not at our host."""
        return bool(self.domain) or self.account is not None

    @property
    def account_user(self) -> str:
        """The user part of our address with the provider; empty without an account."""
        return self.account.aor_user if self.account is not None else ""

    @property
    def realms(self) -> frozenset[str]:
        """Whose challenges are answered."""
        return frozenset(self.account.realm if self.account else ()) or frozenset(
            (self.sip_domain,)
        )


class RouteConfig(Section):
    """`[[route]]`: a dial rule. What no rule allows can't be called outside."""

    pattern: Annotated[DialPattern, BeforeValidator(_dial_pattern)]
    trunk: Annotated[tuple[str, ...], BeforeValidator(_names), Field(min_length=1)]
    "Its name; of several the next one is asked where one can't be reached or has no room."
    strip: int = Field(default=0, ge=0, le=32)
    "Digits that are taken off the front."
    prepend: str = Field(default="", pattern=r"^\+?[0-9]{0,16}$")
    extensions: tuple[str, ...] = ()
    "Who may use the rule; empty: everybody."
