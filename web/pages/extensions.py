"""The extensions: who agreed to being recorded, and what is recorded of whom."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cdr.rows import ExtensionRow
from web.access import AdminForm, PageViewer, Viewer, scoped
from web.context import Web, web_of
from web.errors import ChangeRefusedError, HttpProblem
from web.formats import local, moment_text
from web.pages.rendering import language_of, page, see_other
from web.ports import Direction, DtmfWay, ExtensionSetting, ManualConsent, Mode, SrtpWish
from web.texts import Texts

router = APIRouter(include_in_schema=False)

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
CONSENTS: Final[tuple[ManualConsent, ...]] = get_args(ManualConsent)
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)
SRTP_WISHES: Final[tuple[SrtpWish, ...]] = get_args(SrtpWish)
DTMF_WAYS: Final[tuple[DtmfWay, ...]] = get_args(DtmfWay)
FORWARD_CASES: Final = ("always", "busy", "no_answer", "offline")
FORWARD_TARGET: Final = re.compile(r"\+?[0-9]{2,32}")
AFTER_S: Final = re.compile(r"[1-9][0-9]{0,2}")
NEEDS_OPT_IN: Final = frozenset({"manual", "automatic"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceView:
    """One entry of a list, or one box to tick."""

    value: str
    text: str
    chosen: bool
    possible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardView:
    """One case in which calls go elsewhere."""

    name: str
    text: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionView:
    """One row, in words."""

    number: str
    name: str
    registered: bool
    disabled: bool
    mode: str
    mode_text: str
    mode_hint: str
    finer_hint: str
    "What the finer settings mean in this mode; empty where they mean nothing."
    modes: tuple[ChoiceView, ...]
    consents: tuple[ChoiceView, ...]
    directions: tuple[ChoiceView, ...]
    user_may_stop: bool
    opted_in: bool
    opt_in_text: str
    opt_in_by: str
    forwards: tuple[ForwardView, ...]
    forward_after_s: int
    forward_hint: str
    "Where its calls go, in words; empty for nowhere."
    srtp: tuple[ChoiceView, ...]
    dtmf: tuple[ChoiceView, ...]


@router.get("/extensions")
async def extensions_page(
    request: Request, viewer: PageViewer, saved: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """Show the extensions that the viewer may know of."""
    scoped(viewer, "calls")
    return await _show(request, viewer, saved=saved)


@router.post("/extensions/{number}/mode")
async def set_mode(request: Request, number: str, form: AdminForm) -> Response:
    """Set the recording mode."""
    wanted = form.fields.get("mode", "")
    mode = next((each for each in MODES if each == wanted), None)
    if mode is None:
        raise HttpProblem(422, "mode: off, manual, automatic or never")
    row = await _existing(web_of(request), number)
    if mode in NEEDS_OPT_IN and row.opt_in_at is None:
        refusal = Texts(language_of(request))("refused.opt_in", number=number)
        return await _show(request, form.viewer, refusal=refusal)
    return await _change(
        request, form.viewer, ExtensionSetting(actor=form.viewer.actor, number=number, mode=mode)
    )


@router.post("/extensions/{number}/settings")
async def set_finer(request: Request, number: str, form: AdminForm) -> Response:
    """Set how a recording by hand is agreed to, and what an automatic one is for."""
    await _existing(web_of(request), number)
    wanted = form.fields.get("manual_consent", "")
    consent = next((each for each in CONSENTS if each == wanted), None)
    if consent is None:
        raise HttpProblem(422, "manual_consent: ask or attested")
    directions = tuple(each for each in DIRECTIONS if f"direction_{each}" in form.fields)
    if not directions:
        refusal = Texts(language_of(request))("refused.directions", number=number)
        return await _show(request, form.viewer, refusal=refusal)
    setting = ExtensionSetting(
        actor=form.viewer.actor,
        number=number,
        manual_consent=consent,
        directions=directions,
        user_may_stop="user_may_stop" in form.fields,
    )
    return await _change(request, form.viewer, setting)


@router.post("/extensions/{number}/forward")
async def set_forward(request: Request, number: str, form: AdminForm) -> Response:
    """Set where the extension's calls go in its place."""
    await _existing(web_of(request), number)
    targets = {case: form.fields.get(case, "").strip() for case in FORWARD_CASES}
    after = form.fields.get("after_s", "")
    wrong = [each for each in targets.values() if each and not FORWARD_TARGET.fullmatch(each)]
    if wrong or not AFTER_S.fullmatch(after):
        refusal = Texts(language_of(request))("refused.forward", number=number)
        return await _show(request, form.viewer, refusal=refusal)
    setting = ExtensionSetting(
        actor=form.viewer.actor,
        number=number,
        forward_always=targets["always"],
        forward_busy=targets["busy"],
        forward_no_answer=targets["no_answer"],
        forward_offline=targets["offline"],
        forward_after_s=int(after),
    )
    return await _change(request, form.viewer, setting)


@router.post("/extensions/{number}/srtp")
async def set_srtp(request: Request, number: str, form: AdminForm) -> Response:
    """Set whether the sound is encrypted."""
    wanted = form.fields.get("srtp", "")
    wish = next((each for each in SRTP_WISHES if each == wanted), None)
    if wish is None:
        raise HttpProblem(422, "srtp: default, off, optional or required")
    await _existing(web_of(request), number)
    return await _change(
        request, form.viewer, ExtensionSetting(actor=form.viewer.actor, number=number, srtp=wish)
    )


@router.post("/extensions/{number}/dtmf")
async def set_dtmf(request: Request, number: str, form: AdminForm) -> Response:
    """Set in which ways keys are taken from the telephone, and sent to it."""
    await _existing(web_of(request), number)
    ways = tuple(each for each in DTMF_WAYS if f"dtmf_{each}" in form.fields)
    return await _change(
        request, form.viewer, ExtensionSetting(actor=form.viewer.actor, number=number, dtmf=ways)
    )


@router.post("/extensions/{number}/opt-in")
async def opt_in(request: Request, number: str, form: AdminForm) -> Response:
    """Enter the agreement of the one who speaks there, with date and actor."""
    await _existing(web_of(request), number)
    return await _change(
        request, form.viewer, ExtensionSetting(actor=form.viewer.actor, number=number, opt_in=True)
    )


@router.post("/extensions/{number}/withdraw")
async def withdraw(request: Request, number: str, form: AdminForm) -> Response:
    """Withdraw it: one press, and what needs it is off in the same moment."""
    row = await _existing(web_of(request), number)
    mode: Mode | None = "off" if row.mode in NEEDS_OPT_IN else None
    return await _change(
        request,
        form.viewer,
        ExtensionSetting(actor=form.viewer.actor, number=number, mode=mode, opt_in=False),
    )


async def _change(request: Request, viewer: Viewer, setting: ExtensionSetting) -> Response:
    try:
        await web_of(request).ports.changes.set_extension(setting)
    except ChangeRefusedError as error:
        refusal = Texts(language_of(request))("refused", reason=error)
        return await _show(request, viewer, refusal=refusal)
    return see_other("/extensions", saved=setting.number)


async def _existing(web: Web, number: str) -> ExtensionRow:
    for row in await web.ports.reader.extensions():
        if row.number == number:
            return row
    raise HttpProblem(404, "there is no such extension")


async def _show(
    request: Request, viewer: Viewer, *, saved: str = "", refusal: str | None = None
) -> Response:
    web = web_of(request)
    rows = [
        row
        for row in await web.ports.reader.extensions()
        if viewer.extensions is None or row.number in viewer.extensions
    ]
    registered = {each.aor for each in await web.ports.reader.bindings(web.ports.wall())}
    texts = Texts(language_of(request))
    return page(
        request,
        "extensions.html",
        viewer=viewer,
        status=200 if refusal is None else 409,
        code=web.settings.record_code,
        extensions=[_view(web, row, texts, registered) for row in rows],
        saved=saved if any(row.number == saved for row in rows) else None,
        refusal=refusal,
    )


def _view(web: Web, row: ExtensionRow, t: Texts, registered: set[str]) -> ExtensionView:
    code = web.settings.record_code
    opted_in = row.opt_in_at is not None
    date = ""
    if row.opt_in_at is not None:
        date = moment_text(local(row.opt_in_at, web.settings.timezone), t.language)
    forwards = _forwards(row, t)
    return ExtensionView(
        number=row.number,
        name=row.name,
        registered=row.number in registered,
        disabled=row.disabled_at is not None,
        mode=row.mode,
        mode_text=t.word("mode", row.mode, code=code),
        mode_hint=t.word("mode", f"{row.mode}.hint", code=code),
        finer_hint=_finer_hint(row, t, code),
        modes=tuple(
            ChoiceView(
                value=mode,
                text=t(f"mode.{mode}", code=code),
                chosen=mode == row.mode,
                possible=opted_in or mode not in NEEDS_OPT_IN,
            )
            for mode in MODES
        ),
        consents=_choices("consent", CONSENTS, (row.manual_consent,), t),
        directions=_choices("directions", DIRECTIONS, row.directions.split(","), t),
        user_may_stop=row.user_may_stop,
        opted_in=opted_in,
        opt_in_text=t("opt_in.yes", date=date) if opted_in else t("opt_in.no"),
        opt_in_by=t("opt_in.by", actor=_person(row.opt_in_by or "")) if opted_in else "",
        forwards=forwards,
        forward_after_s=row.forward_after_s,
        forward_hint="; ".join(f"{each.text}: {each.target}" for each in forwards if each.target),
        srtp=_choices("srtp", SRTP_WISHES, (row.srtp or "default",), t),
        dtmf=_choices("dtmf", DTMF_WAYS, row.dtmf.split(","), t),
    )


def _choices(
    name: str, values: Sequence[str], chosen: Collection[str], t: Texts
) -> tuple[ChoiceView, ...]:
    """Return the entries of one setting; their texts are those of its `name`."""
    return tuple(
        ChoiceView(value=value, text=t(f"{name}.{value}"), chosen=value in chosen)
        for value in values
    )


def _forwards(row: ExtensionRow, t: Texts) -> tuple[ForwardView, ...]:
    targets = (
        row.forward_always,
        row.forward_busy,
        row.forward_no_answer,
        row.forward_offline,
    )
    return tuple(
        ForwardView(name=case, text=t(f"forward.{case}"), target=target)
        for case, target in zip(FORWARD_CASES, targets, strict=True)
    )


def _finer_hint(row: ExtensionRow, t: Texts, code: str) -> str:
    if row.mode == "manual":
        return t.word("consent", row.manual_consent) + "."
    if row.mode != "automatic":
        return ""
    wanted = row.directions.split(",")
    parts = []
    if len(wanted) < len(DIRECTIONS):
        parts.append(t("directions.only", which=", ".join(t.word("directions", w) for w in wanted)))
    if row.user_may_stop:
        parts.append(t("may_stop.yes", code=code))
    return " ".join(parts)


def _person(actor: str) -> str:
    """Return the name behind `web:ada` or `cli:root`."""
    return actor.partition(":")[2] or actor
