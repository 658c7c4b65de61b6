"""What a request says of an extension, checked, as the change that the journal commits."""

import re
from collections.abc import Collection
from functools import partial

from b2bua.choices import EVERY_DIRECTION, EVERY_WAY
from b2bua.control.messages import AddExtension, RemoveExtension, SetExtension
from b2bua.errors import UsageError
from b2bua.settings.values import installed
from b2bua.wall_clock import wall_us
from cdr.extension_records import (
    Credentials,
    ExtensionAdded,
    ExtensionChanged,
    ExtensionRemoved,
    OptIn,
)
from cdr.unchanged import wanted, wanted_as
from sip.digest import ha1
from sip.secure_media import Srtp

NUMBER = re.compile(r"[0-9]{2,15}")

FORWARD_TARGET = re.compile(r"\+?[0-9]{2,32}")

FORWARD_AFTER_S = range(5, 301)

RESERVED = frozenset({"110", "112"})
"Emergency numbers: they reach those who help, never a telephone of ours."

MAX_NAME = 80


def extension_change(
    request: AddExtension | SetExtension | RemoveExtension, actor: str, realm: str
) -> ExtensionAdded | ExtensionChanged | ExtensionRemoved:
    """Return what `actor` has asked for; raises `UsageError` where it can't be so."""
    match request:
        case AddExtension():
            return _added(request, actor, realm)
        case SetExtension():
            return _changed(request, actor, realm)
        case RemoveExtension():
            return ExtensionRemoved(actor=actor, at=wall_us(), number=request.number)


def _added(request: AddExtension, actor: str, realm: str) -> ExtensionAdded:
    if NUMBER.fullmatch(request.number) is None:
        raise UsageError(f"{request.number!r} is no extension number: 2 to 15 digits")
    if request.number in RESERVED:
        raise UsageError(f"{request.number} is an emergency number")
    return ExtensionAdded(
        actor=actor,
        at=wall_us(),
        number=request.number,
        credentials=_credentials(request.number, request.password, realm),
        name=_name(request.name),
        mode=request.mode,
        directions=_directions(request.directions),
        user_may_stop=request.user_may_stop,
        manual_consent=request.manual_consent,
        srtp=_srtp(request.srtp),
        dtmf=_dtmf(request.dtmf),
        opt_in=_opt_in(request.opt_in, actor),
    )


def _changed(request: SetExtension, actor: str, realm: str) -> ExtensionChanged:
    target = partial(_forward, request.number)
    return ExtensionChanged(
        actor=actor,
        at=wall_us(),
        number=request.number,
        credentials=wanted_as(
            request.password, lambda password: _credentials(request.number, password, realm)
        ),
        name=wanted_as(request.name, _name),
        mode=wanted(request.mode),
        directions=wanted_as(request.directions, _directions),
        user_may_stop=wanted(request.user_may_stop),
        manual_consent=wanted(request.manual_consent),
        opt_in=wanted_as(request.opt_in, lambda agreed: _opt_in(agreed, actor)),
        forward_always=wanted_as(request.forward_always, target),
        forward_busy=wanted_as(request.forward_busy, target),
        forward_no_answer=wanted_as(request.forward_no_answer, target),
        forward_offline=wanted_as(request.forward_offline, target),
        forward_after_s=wanted_as(request.forward_after_s, _patience),
        srtp=wanted_as(request.srtp, _srtp),
        dtmf=wanted_as(request.dtmf, _dtmf),
    )


def _credentials(number: str, password: str, realm: str) -> Credentials:
    if len(password) < 8:
        raise UsageError("a password of a telephone has at least 8 characters")
    secret = ha1(number, realm, password)
    return Credentials(realm=realm, ha1_md5=secret.md5, ha1_sha256=secret.sha256)


def _opt_in(agreed: bool, by: str) -> OptIn | None:  # noqa: FBT001 - it is what was said
    return OptIn(at=wall_us(), by=by) if agreed else None


def _name(name: str) -> str:
    if len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(f"a name has at most {MAX_NAME} printable characters")
    return name


def _directions(named: Collection[str]) -> tuple[str, ...]:
    """Return them in the order of the table; none at all is what mode `off` is for."""
    if not named:
        raise UsageError("name a direction at least; to record nothing, set the mode to off")
    return tuple(each for each in EVERY_DIRECTION if each in named)


def _forward(number: str, target: str) -> str:
    """Return where an extension's calls go; whether it may call there is asked at each call."""
    if target and FORWARD_TARGET.fullmatch(target) is None:
        raise UsageError(f"{target!r} is no number that calls can be forwarded to")
    if target in RESERVED:
        raise UsageError(f"{target} is an emergency number")
    if target == number:
        raise UsageError(f"{number} can't be forwarded to itself")
    return target


def _srtp(wish: str) -> str:
    """Return what is stored; nothing is promised that can't be done."""
    if wish == "default":
        return ""
    try:
        return installed(Srtp(wish))
    except ValueError as error:
        raise UsageError(str(error)) from error


def _dtmf(named: Collection[str]) -> tuple[str, ...]:
    """Return the ways in the order of the table."""
    return tuple(each for each in EVERY_WAY if each in named)


def _patience(seconds: int) -> int:
    if seconds not in FORWARD_AFTER_S:
        shortest, longest = FORWARD_AFTER_S[0], FORWARD_AFTER_S[-1]
        raise UsageError(f"a telephone rings for {shortest} to {longest} s before that")
    return seconds
