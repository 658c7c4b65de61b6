"""What other sites, other users and the people at the other end of the line can't do."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from cdr.extension_records import Credentials, ExtensionAdded
from cdr.records import AuditEntry
from tests.unit.web.house import AT, PASSWORD, House, call_opened

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7919 * 7919 }}{% raw %}",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "<!--<script>",
    "\u202e<b>\0",
]
ALLOWED_TAGS = frozenset(
    """
    html head meta title link script body header nav main section footer search h1 h2 p div span
    a ul li form input label select option button output table thead tbody tr th td time dl dt dd
    code meter audio svg g path rect details summary fieldset legend
    """.split()  # noqa: SIM905 - a list of one word a line would be longer than the test
)
LINKS = ("href", "src", "action", "formaction", "data")


class Elements(HTMLParser):
    """Looks at a page as a browser does: at its elements, not at its text."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag not in ALLOWED_TAGS:
            self.faults.append(f"<{tag}>")
        if tag == "script" and not (attributes.get("src") or "").startswith("/static/"):
            self.faults.append("inline script")
        for name, text in attrs:
            if (
                name.startswith("on")
                or name == "style"
                or not re.fullmatch(r"[a-zA-Z-]+[12]?", name)
            ):
                self.faults.append(f"<{tag} {name}>")
            if name in LINKS and not re.match(r"/(?!/)|#", text or ""):
                self.faults.append(f"{name}={text}")

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"comment {data}")


def assert_harmless(text: str) -> None:
    elements = Elements()
    elements.feed(text)
    elements.close()
    assert elements.faults == []
    assert "62710561" not in text, "a template in the data was run"


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_nothing_that_a_caller_says_becomes_markup(house: House, payload: str) -> None:
    opened = replace(
        call_opened(),
        src=payload,
        dst=payload,
        did=f"{payload}2",
        clid=f'"{payload}" <{payload}>',
        channel=payload,
        direction="incoming",
    )
    await house.call(
        opened=opened,
        outcome_params={"seconds": payload, "number": payload},
        disposition=payload,
        outcome=payload,
    )
    recording = await house.recording(duration_s=6.0, state=payload)
    said = "kind decision opt_in_by prompt_id prompt_language prompt_sha256 digit transport note"
    await house.evidence(changed=dict.fromkeys(said.split(), payload))
    listened = AuditEntry(
        at=AT, actor=f"{payload}:{payload}", action=f"recording.{payload}", object=payload
    )
    await house.journal.execute(replace(listened, detail={payload: payload}))
    await house.journal.execute(replace(listened, object=recording, action=payload))
    await house.journal.execute(
        ExtensionAdded(
            actor=payload,
            at=AT,
            number="101",
            name=payload,
            credentials=Credentials(realm="m", ha1_md5="a", ha1_sha256="b"),
        )
    )
    async with house.logged_in() as browser:
        sheet = f"/audit/recordings/{recording}"
        for path in ("/calls", "/extensions", "/audit", "/audit/log", sheet):
            page = await browser.get(path)
            assert page.status_code == 200
            assert_harmless(page.text)
        for path in ("/calls", "/extensions", "/login", "/storage", "/audit/log", "/nothing"):
            names = ("number", "from", "next", "saved", "minutes", "actor", "object", "kind")
            fields = dict.fromkeys(names, payload)
            assert_harmless((await browser.get(path, params=fields)).text)
        refused = await browser.submit("/extensions/101/mode", mode="automatic")
        assert refused.status_code == 409
        assert_harmless(refused.text)
    async with house.browser() as stranger:
        answer = await stranger.log_in(payload, "x", payload)
        assert answer.status_code == 401
        assert_harmless(answer.text)


@pytest.mark.parametrize(
    "path", ["/login", "/calls", "/static/player.js", "/api/v1/calls", "/nothing", "/healthz"]
)
async def test_every_answer_carries_the_protective_headers(house: House, path: str) -> None:
    async with house.logged_in() as browser:
        headers = (await browser.get(path)).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; ")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"


async def test_pages_have_no_inline_script_or_style_and_nothing_from_elsewhere(
    house: House,
) -> None:
    await house.call()
    await house.recording()
    async with house.logged_in() as browser:
        for path in ("/calls", "/extensions", "/storage", "/audit", "/audit/log"):
            assert_harmless((await browser.get(path)).text)


async def test_an_error_of_ours_says_nothing_of_the_inside(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> str:
        raise RuntimeError("secret detail")

    await house.call()
    monkeypatch.setattr(house.ports.sentences, "sentence", fail, raising=False)
    async with house.logged_in() as browser:
        browser._transport.raise_app_exceptions = False  # type: ignore[attr-defined] # ASGITransport
        page = await browser.get("/calls")
    assert page.status_code == 500
    assert "secret" not in page.text
    assert "content-security-policy" in page.headers


FOREIGN = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://house.evil.example"},
    {"Origin": "http://house:81"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_form_of_another_site_is_refused(house: House, headers: dict[str, str]) -> None:
    async with house.logged_in() as browser:
        token = await browser.csrf_token()
        answer = await browser.post("/logout", data={"csrf_token": token}, headers=headers)
        assert answer.status_code == 403
        login = await browser.post(
            "/login", data={"name": "ada", "password": PASSWORD}, headers=headers
        )
        assert login.status_code == 403
        assert (await browser.get("/calls")).status_code == 200, "nothing was changed"


async def test_the_fetch_metadata_tell_another_site_too(house: House) -> None:
    async with house.logged_in() as browser:
        token = await browser.csrf_token()
        del browser.headers["Origin"]
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = await browser.post("/logout", data={"csrf_token": token}, headers=headers)
        assert answer.status_code == 403
        assert (await browser.post("/logout", data={"csrf_token": token})).status_code == 303


POSTS = [
    "/logout",
    "/extensions/101/mode",
    "/extensions/101/opt-in",
    "/extensions/101/withdraw",
    "/storage/test",
]


@pytest.mark.parametrize("path", POSTS)
async def test_every_form_needs_the_sessions_own_token(house: House, path: str) -> None:
    async with house.logged_in() as browser, house.logged_in("eve") as other:
        foreign = await other.csrf_token()
        for fields in (
            {"x": "1"},
            {"csrf_token": ""},
            {"csrf_token": "ä"},
            {"csrf_token": foreign},
        ):
            answer = await browser.post(path, data=fields)
            assert answer.status_code == 403
        assert (await browser.get(path)).status_code in {404, 405}


@pytest.mark.parametrize("path", POSTS[1:])
async def test_a_listener_changes_nothing(house: House, path: str) -> None:
    async with house.logged_in("eve", "listener", ("101",)) as browser:
        assert (await browser.submit(path, mode="off")).status_code == 403
    assert not [row for row in await house.audited() if row[0] == "web:eve"][1:]


async def test_a_token_opens_no_page_and_no_form(house: House) -> None:
    headers = await house.token("calls,audio,metrics")
    async with house.browser() as program:
        for path in ("/calls", "/extensions", "/storage"):
            assert (await program.get(path, headers=headers)).status_code == 403
        assert (await program.post("/storage/test", headers=headers)).status_code == 403


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 422),
        ("application/x-www-form-urlencoded", b"a=" + b"b" * 20_000, 413),
        ("application/x-www-form-urlencoded", b"&".join([b"a=b"] * 100), 400),
        ("application/x-www-form-urlencoded", b"name=\xff", 400),
        ("application/x-www-form-urlencoded", b"name=%ff", 400),
        ("", b"", 422),
    ],
)
async def test_a_form_that_is_none_is_refused(
    house: House, kind: str, body: bytes, status: int
) -> None:
    async with house.browser() as browser:
        answer = await browser.post("/login", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status
