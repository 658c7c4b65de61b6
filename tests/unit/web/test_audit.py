"""The auditor's pages: from a recording to its ground, the log, and whether all is whole."""

import asyncio
import csv
import errno
import hashlib
import io
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from cdr.audit import AuditReport
from cdr.extension_records import Credentials, ExtensionAdded, ExtensionChanged, OptIn
from cdr.records import AuditEntry, PromptInstalled
from tests.unit.web.house import (
    AT,
    AUDIO,
    SECOND,
    Browser,
    House,
    call_opened,
    relative_path,
)
from web.pages import audit_words

GERMAN = {"Accept-Language": "de"}
SHA256 = "9f" * 32
ASKED = {
    "kind": "consent",
    "extension": None,
    "opt_in_at": None,
    "opt_in_by": None,
    "prompt_id": "consent",
    "prompt_language": "de",
    "prompt_sha256": SHA256,
    "prompt_completed": True,
    "digit": "1",
    "transport": "rfc4733",
    "rtp_ssrc": 0xBEEF,
    "rtp_timestamp": 163_840,
    "sip_call_id": "7d1f@192.0.2.44",
}
PATHS = (
    "/audit",
    "/audit/log",
    "/audit/recordings/recording-1-1",
    "/audit/recordings.csv",
    "/audit/log.csv",
)


def text_of(page: httpx.Response) -> str:
    """Return what a reader sees, roughly."""
    assert page.status_code == 200
    body = page.text.partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", body.replace("><", "> <")))


def table_of(answer: httpx.Response) -> list[dict[str, str]]:
    """Return the rows of a file for spreadsheets."""
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


async def recorded(
    house: House, name: str = "1", said: Mapping[str, object] = MappingProxyType({})
) -> str:
    """Store a recorded call in which the caller said something; return the recording's id."""
    await house.call(name)
    await house.evidence(name, 0, said)
    return await house.recording(name)


def alter(house: House, sql: str, *values: str) -> None:
    with closing(sqlite3.connect(house.database)) as connection, connection:
        connection.execute(sql, values)


# --- who may see it


@pytest.mark.parametrize("path", PATHS)
async def test_the_proofs_are_for_those_who_may_see_them(house: House, path: str) -> None:
    await recorded(house)
    async with house.browser() as stranger:
        assert (await stranger.get(path)).headers["location"].startswith("/login?")
    async with house.logged_in("eve", "listener", ("101",)) as browser:
        assert (await browser.get(path)).status_code == 403
    async with house.logged_in() as browser:
        assert (await browser.get(path)).status_code == 200
    token = await house.token("audit")
    async with house.browser() as program:
        assert (await program.get(path, headers=token)).status_code == 403, "pages are for people"


async def test_who_may_not_see_them_finds_no_way_to_them(house: House) -> None:
    await recorded(house)
    async with house.logged_in("eve", "listener", ("101",)) as browser:
        page = (await browser.get("/calls")).text
        assert 'class="play"' in page
        assert "/audit" not in page
        answer = await browser.submit("/audit/check")
    assert answer.status_code == 403
    assert "audit.verify" not in [action for _, action, _ in await house.audited()]


async def test_an_auditor_sees_the_proofs_and_hears_nothing(house: House) -> None:
    recording = await recorded(house)
    async with house.logged_in("cleo", "auditor") as browser:
        first = await browser.get("/calls")
        assert (first.status_code, first.headers["location"]) == (303, "/audit")
        for path in PATHS:
            assert (await browser.get(path)).status_code == 200
        page = (await browser.get("/audit")).text
        for closed in ("/calls", "/extensions", "/storage"):
            assert f'<li><a href="{closed}"' not in page
        assert (await browser.get("/api/v1/audit/log")).status_code == 200
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token is not None
        sent = {"csrf_token": token[1]}
        assert "All is whole" in text_of(await browser.post("/audit/check", data=sent))
        for path in (
            "/extensions",
            "/storage",
            "/metrics",
            "/api/v1/calls",
            f"/api/v1/recordings/{recording}/audio",
            f"/api/v1/recordings/{recording}/live",
        ):
            assert (await browser.get(path)).status_code == 403, path
        assert (await browser.post("/storage/test", data=sent)).status_code == 403
        assert (await browser.post("/extensions/101/opt-in", data=sent)).status_code == 403
    assert (await house.audited())[-1] == ("web:cleo", "audit.verify", "audit")


async def test_a_check_needs_a_form_of_ours(house: House) -> None:
    async with house.logged_in() as browser:
        assert (await browser.post("/audit/check", data={"csrf_token": "x"})).status_code == 403
        assert (await browser.get("/audit/check")).status_code == 405


# --- recordings and their grounds


async def test_each_recording_leads_to_its_ground(house: House) -> None:
    recording = await recorded(house, said=ASKED)
    await house.evidence(side=1)
    async with house.logged_in() as browser:
        calls = (await browser.get("/calls", headers=GERMAN)).text
        assert f'href="/audit/recordings/{recording}" title="Nachweis"' in calls
        assert f'href="/audit/recordings/{recording}"' in (await browser.get("/audit")).text
        german = text_of(await browser.get("/audit", headers=GERMAN))
        english = text_of(await browser.get("/audit"))
    assert "101 → 102" in german
    assert "13:00:01 (1:00) belegt" in german
    assert (
        "101 zugestimmt, 13:00:00 Frage im Gespräch: Ansage „consent“ (de) ganz gehört; "
        "Taste 1 gedrückt (Telefon-Ereignis, RFC 4733)" in german
    )
    assert (
        "102 zugestimmt, 13:00:00 hinterlegte Zustimmung: "
        "eingetragen am 04.01.2026, 13:00 von web:grace" in german
    )
    assert "13:00:01 (1:00) proven" in english
    assert "pressed 1 (telephone event, RFC 4733)" in english
    assert "entered on 4 Jan 2026, 13:00 by web:grace" in english


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            ASKED | {"decision": "refused", "digit": "2"},
            "101 did not agree, 13:00:00 asked in the call: heard all of the announcement",
        ),
        (
            ASKED
            | {
                "decision": "timed_out",
                "prompt_completed": False,
                "prompt_played_ms": 3140,
                "digit": None,
            },
            "101 no answer, 13:00:00 asked in the call: heard 3.1 s of the announcement",
        ),
        (ASKED | {"decision": "refused", "digit": None, "note": "bye"}, "(de); hung up"),
        (
            {"kind": "attested", "opt_in_at": None, "opt_in_by": None},
            "asked in words: extension 101 asked and pressed the record key",
        ),
        (
            ASKED | {"prompt_id": None, "digit": None, "note": "agreed in call 1767614.12"},
            "asked in the call: agreed in call 1767614.12, which was transferred here",
        ),
        ({"kind": "new_kind", "decision": "new_word"}, "101 new_word, 13:00:00 new_kind:"),
        ({"party_id": "nobody"}, "number withheld agreed"),
    ],
)
async def test_every_decision_is_told_in_words(
    house: House, said: dict[str, object], words: str
) -> None:
    await recorded(house, said=said)
    async with house.logged_in() as browser:
        assert words in text_of(await browser.get("/audit"))


async def test_a_party_without_a_decision_is_named(house: House) -> None:
    await recorded(house)
    async with house.logged_in() as browser:
        page = text_of(await browser.get("/audit"))
    assert "102 no decision Without an agreement the recorder does not take this party." in page


async def test_a_recording_without_a_ground_stands_out_and_is_found(house: House) -> None:
    await recorded(house, "1")
    await house.call("2", call_opened("2", AT, "103", "104"))
    await house.recording("2")
    await recorded(house, "3", {"decided_at": AT + 30 * SECOND})
    async with house.logged_in() as browser:
        page = (await browser.get("/audit")).text
        found = (await browser.get("/audit", params={"basis": "none"})).text
        sheet = text_of(await browser.get("/audit/recordings/recording-2-1"))
    assert page.count('<span class="tag failed">no basis</span>') == 2
    assert page.count('<span class="tag answered">proven</span>') == 1
    assert "recording-1-1" not in found
    assert "recording-2-1" in found
    assert "recording-3-1" in found
    assert "No agreement is stored from before this recording began." in sheet


async def test_recordings_are_searched_and_paged(house: House) -> None:
    for n in range(1, 6):
        await house.call(str(n), call_opened(str(n), AT + n * 86_400 * SECOND, f"10{n}", "200"))
        await house.evidence(str(n), 0, ASKED if n == 3 else {})
        await house.recording(str(n))
    await house.call("9", call_opened("9", AT, "109", "200"))

    def names(page: str) -> list[str]:
        return re.findall(r"/audit/recordings/recording-(\d)-1", page)

    async with house.logged_in(app=house.app(page_size=2)) as browser:

        async def found(**search: str) -> list[str]:
            return names((await browser.get("/audit", params=search)).text)

        assert await found(number="104") == ["4"]
        assert await found(number="109") == [], "nothing of it was recorded"
        assert await found(basis="consent") == ["3"]
        assert await found(**{"from": "2026-01-08", "to": "2026-01-08"}) == ["3"]
        assert await found(**{"from": "nonsense", "basis": "nonsense"}) == ["5", "4"]
        page = (await browser.get("/audit", params={"number": "10"})).text
        seen = names(page)
        while (older := re.search(r'href="(/audit\?[^"]+)" rel="next"', page)) is not None:
            assert "number=10" in older[1]
            page = (await browser.get(older[1].replace("&amp;", "&"))).text
            seen += names(page)
        assert seen == ["5", "4", "3", "2", "1"]
        assert 'href="/audit?number=10">Newest' in page
        swapped = await browser.get("/audit", params={"from": "2026-01-09", "to": "2026-01-08"})
        assert "“From” is later than “To”." in swapped.text
        assert "No recording matches this search." in swapped.text


async def test_before_the_first_recording_there_is_a_word(house: House) -> None:
    async with house.logged_in() as browser:
        assert "Noch keine Aufzeichnungen." in text_of(await browser.get("/audit", headers=GERMAN))
        assert "No recordings yet." in text_of(await browser.get("/audit"))


# --- one recording


async def test_the_sheet_of_a_recording_has_all_that_proves_it(house: House) -> None:
    recording = await recorded(house, said=ASKED)
    await house.journal.execute(
        PromptInstalled(
            actor="cli:root",
            at=AT,
            id="consent/de/2",
            name="consent",
            language="de",
            version=2,
            sha256=SHA256,
            sentence="Drücken Sie die 1.",
            duration_ms=1000,
        )
    )
    async with house.logged_in() as browser:
        before = text_of(await browser.get(f"/audit/recordings/{recording}", headers=GERMAN))
        await browser.get(f"/api/v1/recordings/{recording}/audio")
        german = text_of(await browser.get(f"/audit/recordings/{recording}", headers=GERMAN))
        english = text_of(await browser.get(f"/audit/recordings/{recording}"))
        unknown = await browser.get("/audit/recordings/nothing")
    assert "Nachweis der Aufzeichnung vom 05.01.2026, 13:00:01" in german
    assert "Vor dem Beginn dieser Aufzeichnung lag eine Zustimmung vor." in german
    for proof in ("ab" * 32, SHA256, "7d1f@192.0.2.44", "0000beef", "163840", "evidence-1-0"):
        assert proof in german
    assert "Wortlaut der Ansage: „Drücken Sie die 1.“" in german
    assert "Bisher niemand." in before
    assert "ada auf den Seiten Aufzeichnung angehört" in german
    assert "ada on the pages listened to a recording" in english
    assert "Somebody had agreed before this recording began." in english
    assert unknown.status_code == 404


async def compare(browser: Browser, recording: str) -> str:
    return text_of(await browser.submit(f"/audit/recordings/{recording}/check"))


async def test_a_file_is_compared_with_what_was_written(house: House) -> None:
    await recorded(house)
    recording = await house.recording(number=2, sha256=hashlib.sha256(AUDIO).hexdigest())
    file = house.file(relative_path(number=2))
    async with house.logged_in() as browser:
        assert "The file is unaltered: its SHA-256 is right." in await compare(browser, recording)
        file.write_bytes(AUDIO[:-1] + b"x")
        assert "The file is no longer the one that was recorded" in await compare(
            browser, recording
        )
        file.unlink()
        gone = await compare(browser, recording)
    assert "The file is no longer there." in gone
    for told in ("File: unaltered", "File: altered", "File: no longer there"):
        assert f"ada on the pages checked a recording's file {told}" in gone.replace("&#39;", "'")
    assert (await house.audited())[-1] == ("web:ada", "recording.verify", recording)


async def test_what_has_no_file_is_not_compared(house: House) -> None:
    await house.call()
    recording = await house.recording(state="failed", relative_path=None, sha256="", file=False)
    async with house.logged_in() as browser:
        assert "Check the file" not in text_of(await browser.get(f"/audit/recordings/{recording}"))
        answers = [
            await browser.submit(f"/audit/recordings/{each}/check") for each in (recording, "none")
        ]
    assert [answer.status_code for answer in answers] == [404, 404]


async def test_a_disk_that_fails_proves_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await recorded(house)

    def fail(*_args: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    async with house.logged_in() as browser:
        with monkeypatch.context() as reading:
            reading.setattr("web.file_hash.os.pread", fail)
            answer = await browser.submit(f"/audit/recordings/{recording}/check")
            assert answer.status_code == 503
        monkeypatch.setattr(house.ports.recordings, "open", fail)
        answer = await browser.submit(f"/audit/recordings/{recording}/check")
    assert answer.status_code == 503
    assert "recording.verify" not in [action for _, action, _ in await house.audited()]


# --- the log


async def changed(house: House) -> None:
    """An extension that is added, agrees, and is recorded from then on."""
    await house.journal.execute(
        ExtensionAdded(
            actor="cli:root",
            at=AT,
            number="101",
            name="Empfang",
            credentials=Credentials(realm="m", ha1_md5="a" * 32, ha1_sha256="b" * 64),
        )
    )
    await house.journal.execute(
        ExtensionChanged(
            actor="web:grace",
            at=AT + 86_400 * SECOND,
            number="101",
            mode="manual",
            opt_in=OptIn(at=AT + 86_400 * SECOND, by="web:grace"),
        )
    )


async def test_the_log_tells_who_did_what_and_what_it_was_before(house: House) -> None:
    await changed(house)
    async with house.logged_in() as browser:
        page = await browser.get("/audit/log", headers=GERMAN)
        german = text_of(page)
        english = text_of(await browser.get("/audit/log"))
    assert "grace auf den Seiten Nebenstelle geändert 101" in german
    assert "Aufzeichnung: Aus → Von Hand (*1)" in german
    assert "Zustimmung am: – → 06.01.2026, 13:00" in german  # noqa: RUF001 - a dash
    assert "root auf der Befehlszeile Nebenstelle angelegt 101" in german
    assert german.count("Passwort: neu gesetzt") == 1
    assert "Recording: Off → By hand (*1)" in english
    assert "Agreed on: – → 6 Jan 2026, 13:00" in english  # noqa: RUF001 - a dash
    (newest,) = await house.reader.audit(1)
    assert f"Nr. {newest.seq}, Prüfsumme {newest.hash}" in german
    assert "b" * 64 not in page.text, "as good as a password"


async def test_the_log_is_searched_and_paged(house: House) -> None:
    await changed(house)

    def numbers(page: str) -> list[int]:
        return [int(seq) for seq in re.findall(r'class="seq"[^>]*>(\d+)<', page)]

    async with house.logged_in(app=house.app(page_size=2)) as browser:

        async def found(**search: str) -> list[int]:
            return numbers((await browser.get("/audit/log", params=search)).text)

        rows = {(row.actor, row.action): row.seq for row in await house.reader.audit()}
        added, altered = rows["cli:root", "extension.add"], rows["web:grace", "extension.change"]
        login = rows["web:ada", "session.open"]
        assert await found(kind="extensions") == [altered, added]
        assert await found(kind="logins") == [login]
        assert await found(actor="grace") == [altered]
        assert await found(object="101") == [altered, added]
        assert await found(object="10") == []
        assert await found(**{"from": "2026-01-06"}) == [altered]
        assert await found(kind="prompts") == []
        page = (await browser.get("/audit/log", params={"to": "2026-01-06"})).text
        seen = numbers(page)
        while (older := re.search(r'href="(/audit/log\?[^"]+)" rel="next"', page)) is not None:
            page = (await browser.get(older[1].replace("&amp;", "&"))).text
            seen += numbers(page)
        assert seen == sorted(seen, reverse=True) == [4, 3, 2, 1]
        nothing = await browser.get("/audit/log", params={"actor": "nobody"})
        assert "No entry matches this search." in nothing.text


@pytest.mark.parametrize("detail", ["no JSON", "[1]", '{"disabled_at":9e99,"opt_in_at":1e3}', "7"])
async def test_a_row_that_none_of_us_wrote_is_shown_all_the_same(house: House, detail: str) -> None:
    async with house.logged_in() as browser:
        await browser.submit("/audit/check")
        alter(house, "UPDATE audit SET detail = ?", detail)
        assert "check" in text_of(await browser.get("/audit/log"))
        assert "not in order" in text_of(await browser.get("/audit"))


@pytest.mark.parametrize("at", [-1, audit_words.YEAR_9000, 10**30])
async def test_a_time_beyond_all_calendars_stays_a_number(house: House, at: int) -> None:
    await house.journal.execute(AuditEntry(at=AT, actor="x", action="x.y", object="x"))
    alter(house, "UPDATE audit SET detail = ?", f'{{"disabled_at":{at}}}')
    async with house.logged_in() as browser:
        assert f"Disabled on: {at}" in text_of(await browser.get("/audit/log"))


# --- whether all is whole


async def test_a_check_says_what_is_whole_and_leaves_a_row(house: House) -> None:
    await recorded(house)
    async with house.logged_in() as browser:
        first = text_of(await browser.get("/audit", headers=GERMAN))
        answer = await browser.post(
            "/audit/check", data={"csrf_token": await browser.csrf_token()}, headers=GERMAN
        )
        german = text_of(answer)
        english = text_of(await browser.get("/audit"))
    assert "Ist das Protokoll unverändert" in first
    assert "Alles ist vollständig und unverändert." in german
    assert "Die Kette der Prüfsummen ist geschlossen: 2 Einträge" in german
    assert "1 geprüft, fortlaufend nummeriert: es fehlt keines." in german
    assert "1 geprüft: jede begann erst nach einer Zustimmung." in german
    assert "Zuletzt geprüft am 05.01.2026, 13:00 von ada: alles vollständig." in german
    assert "Last checked on 5 Jan 2026, 13:00 by ada: all is whole." in english
    assert (await house.audited())[-1] == ("web:ada", "audit.verify", "audit")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE audit SET actor = 'x' WHERE seq = 2", "Entry 2 was altered; up to entry 1"),
        ("DELETE FROM audit WHERE seq = 1", "Entry 1 is missing"),
        ("UPDATE audit SET prev_hash = 'x' WHERE seq = 2", "Entry 2 does not follow entry 1."),
        ("DELETE FROM audit WHERE seq = 2", "The log ends at entry 1, but entry 2 was written."),
        ("DELETE FROM calls WHERE ledger IN (1, 3, 4)", "These numbers are missing: 1, 3–4."),  # noqa: RUF001 - a dash
        ("DELETE FROM evidence", "Nobody had agreed before these began: 2026/01/05/"),
    ],
)
async def test_a_check_names_what_is_not(house: House, sql: str, words: str) -> None:
    for name in "12345":
        await house.call(name)
    await house.evidence()
    await house.recording()
    async with house.logged_in() as browser:
        token = await browser.csrf_token()
        alter(house, sql)
        page = await browser.post("/audit/check", data={"csrf_token": token})
    seen = text_of(page)
    assert "Something is not as it should be." in seen
    assert words in seen
    assert "Last checked on 5 Jan 2026, 13:00 by ada: not in order." in seen
    assert ('href="/audit?basis=none"' in page.text) == ("Nobody" in words)


async def test_only_the_first_of_many_are_named(house: House) -> None:
    for number in range(1, 8):
        await house.recording(number=number, file=False)
    async with house.logged_in() as browser:
        page = text_of(await browser.submit("/audit/check"))
    assert "_1-5.mp3 and 2 more" in page


async def test_one_check_at_a_time_and_none_for_ever(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, end = asyncio.Event(), asyncio.Event()

    async def slowly() -> AuditReport:
        began.set()
        await end.wait()
        return AuditReport(checked=0, fault=None)

    monkeypatch.setattr(house.reader, "verify_audit", slowly)

    async def press(browser: Browser) -> str:
        return text_of(await browser.submit("/audit/check"))

    async with house.logged_in() as browser:
        one = asyncio.create_task(press(browser))
        await began.wait()
        assert "A check is running already." in await press(browser)
        end.set()
        assert "All is whole and unaltered." in await one
        assert "All is whole and unaltered." in await press(browser)
    end.clear()
    async with house.browser(house.app(check_s=0.01)) as browser:
        await browser.log_in()
        assert "On the server “mitschnitt audit verify” has no limit." in await press(browser)


# --- files for spreadsheets


async def test_the_grounds_can_be_taken_along(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.pages.audit.AT_ONCE", 2)
    await recorded(house, "1", ASKED)
    await recorded(house, "2")
    await house.call("3")
    await house.recording("3")
    async with house.logged_in() as browser:
        answer = await browser.get("/audit/recordings.csv")
        some = table_of(await browser.get("/audit/recordings.csv", params={"basis": "consent"}))
        none = table_of(await browser.get("/audit/recordings.csv", params={"number": "999"}))
        link = '<a class="button file" href="/audit/recordings.csv?basis=consent" download>'
        assert link in (await browser.get("/audit", params={"basis": "consent"})).text
    assert (
        answer.headers["content-disposition"] == 'attachment; filename="mitschnitt-recordings.csv"'
    )
    rows = table_of(answer)
    assert [(row["recording_id"], row["basis"], row["decision"]) for row in rows] == [
        ("recording-3-1", "", "none"),
        ("recording-2-1", "opt_in", "granted"),
        ("recording-1-1", "consent", "granted"),
    ]
    assert rows[2]["how"] == "heard consent (de) whole, pressed 1 (rfc4733)"
    assert rows[2]["prompt_sha256"] == SHA256
    assert [row["recording_id"] for row in some] == ["recording-1-1"]
    assert none == []


async def test_the_log_can_be_taken_along(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.pages.audit_log.AT_ONCE", 2)
    await changed(house)
    formula = AuditEntry(at=AT, actor="web", action="login.refused", object="=cmd()")
    await house.journal.execute(formula)
    async with house.logged_in() as browser:
        rows = table_of(await browser.get("/audit/log.csv"))
        some = table_of(await browser.get("/audit/log.csv", params={"kind": "extensions"}))
    assert [row["seq"] for row in rows] == ["5", "4", "3", "2", "1"]
    assert rows[2]["object"] == "'=cmd()"
    stored = {str(row.seq): row.hash for row in await house.reader.audit()}
    assert {row["seq"]: row["hash"] for row in rows} == stored
    assert [(row["actor"], row["at"]) for row in some] == [
        ("web:grace", "2026-01-06T12:00:00Z"),
        ("cli:root", "2026-01-05T12:00:00Z"),
    ]


# --- the API


async def test_programs_read_the_log(house: House) -> None:
    await changed(house)
    headers = await house.token("audit", "archive")
    async with house.browser() as program:

        async def get(**params: str) -> httpx.Response:
            return await program.get("/api/v1/audit/log", params=params, headers=headers)

        first = (await get(limit="2")).json()
        rest = (await get(limit="2", cursor=first["next"])).json()
        seen = [entry["seq"] for page in (first, rest) for entry in page["entries"]]
        assert seen == [3, 2, 1]
        assert rest["next"] is None
        (row,) = (await get(subject="extension", actor="grace")).json()["entries"]
        assert (row["object"], row["at"]) == ("101", "2026-01-06T12:00:00.000Z")
        assert rest["entries"][-1]["hash"] == first["entries"][-1]["prev_hash"]
        since = (await get(since="2026-01-06T12:30:00+01:00", object="101")).json()
        assert [entry["action"] for entry in since["entries"]] == ["extension.change"]
        assert (await get(since="2026-01-06T12:30:00")).status_code == 422, "without a zone"
        assert (await get(since="0000-01-01T00:00:00Z")).status_code == 422
        everything = {"since": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-12:00"}
        assert len((await get(**everything)).json()["entries"]) == 3
        assert (await get(subject="x" * 20_000)).json()["entries"] == []


async def test_programs_read_what_recordings_rest_on(house: House) -> None:
    await recorded(house, "1", ASKED)
    await house.call("2")
    await house.recording("2")
    headers = await house.token("audit", "archive")
    async with house.browser() as program:

        async def get(**params: str) -> Any:
            path = "/api/v1/audit/recordings"
            answer = await program.get(path, params=params, headers=headers)
            assert answer.status_code == 200
            return answer.json()

        newest = await get(limit="1")
        assert newest["calls"] == (await get(groundless="true"))["calls"]
        rest = await get(cursor=newest["next"])
        assert rest == await get(basis="consent")
    assert rest["next"] is None
    (call,) = rest["calls"]
    assert call["recordings"][0]["grounded"] is True
    (decision,) = call["decisions"]
    assert (decision["party"], decision["basis"], decision["decided_at"]) == (
        "101",
        "consent",
        "2026-01-05T12:00:00.000Z",
    )
    assert (decision["rtp_ssrc"], decision["opt_in_at"]) == (0xBEEF, None)


@pytest.mark.parametrize("path", ["/api/v1/audit/log", "/api/v1/audit/recordings"])
async def test_the_api_of_the_proofs_needs_its_own_scope(house: House, path: str) -> None:
    others = await house.token("calls,audio,metrics")
    async with house.browser() as program:
        assert (await program.get(path)).status_code == 401
        assert (await program.get(path, headers=others)).status_code == 403
    async with house.logged_in("eve", "listener", ("101",)) as browser:
        assert (await browser.get(path)).status_code == 403
    async with house.logged_in() as browser:
        assert (await browser.get(path)).status_code == 200
