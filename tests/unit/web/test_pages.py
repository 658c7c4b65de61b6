import errno
import json
import re
from dataclasses import replace

import pytest

from cdr.extension_records import Credentials, ExtensionAdded, OptIn
from cdr.records import BindingStored, CallOpened, PartyJoined, SegmentOpened
from cdr.usage import DAY_US
from recording.storage import StorageState
from tests.unit.web.house import AT, SECOND, House, call_opened, relative_path
from web.ports import StorageFigures

GERMAN = {"Accept-Language": "de"}
AUDIO_URL = "/api/v1/recordings/recording-1-1/audio"


def text_of(page: str) -> str:
    """Return what a reader sees, roughly."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


async def extension(
    house: House, number: str = "101", mode: str = "off", *, opt_in: bool = False
) -> None:
    await house.journal.execute(
        ExtensionAdded(
            actor="cli:root",
            at=AT,
            number=number,
            name="Empfang",
            mode=mode,
            opt_in=OptIn(at=AT, by="web:grace") if opt_in else None,
            credentials=Credentials(realm="m", ha1_md5="a" * 32, ha1_sha256="b" * 64),
        )
    )


# --- calls


async def test_a_recorded_call_has_a_loudspeaker_and_a_download(house: House) -> None:
    await house.call()
    await house.recording()
    async with house.logged_in() as browser:
        page = (await browser.get("/calls", headers=GERMAN)).text
    assert f'<a class="play" href="{AUDIO_URL}" title="130000_101_102_1-1.mp3"' in page
    assert 'aria-label="Aufzeichnung anhören: 101 mit 102, 1:00"' in page
    assert f'href="{AUDIO_URL}?download=true" download="130000_101_102_1-1.mp3"' in page
    seen = text_of(page)
    assert "05.01.2026 13:00:00" in seen
    assert "Anhören 1:00" in seen
    assert "Aufgezeichnet: 1:00 min." in seen
    assert "Angenommen" in seen
    assert 'datetime="2026-01-05T12:00:00.000Z"' in page


async def test_each_part_has_its_own_loudspeaker(house: House) -> None:
    await house.call()
    await house.recording(number=1)
    await house.recording(number=2, missing_s=4.2, recovered=True)
    async with house.logged_in() as browser:
        page = (await browser.get("/calls")).text
    assert page.count('class="play"') == 2
    seen = text_of(page)
    assert "Part 1 1:00" in seen
    assert "Part 2 1:00" in seen
    assert "4 s of audio are missing." in seen
    assert "Recovered after a crash." in seen


async def test_who_has_answered_is_told(house: House) -> None:
    def joins(call: CallOpened, number: str, name: str) -> None:
        party = PartyJoined(
            party_id=f"{call.id}-{number}",
            call_id=call.id,
            leg="b",
            side=1,
            joined_at=AT,
            extension=number,
            number=number,
            name=name,
        )
        house.journal.put(party)

    group, named = call_opened("1", dst="600"), call_opened("2", dst="104")
    house.journal.put(group)
    house.journal.put(named)
    joins(group, "102", "<Ben>")
    joins(named, "104", "Empfang")
    assert await house.journal.drain(5)
    async with house.logged_in() as browser:
        page = (await browser.get("/calls")).text
        assert "answered by 102, &lt;Ben&gt;" in page
        assert '<span class="number">104</span> <span class="sub">Empfang</span>' in page
        german = (await browser.get("/calls", headers=GERMAN)).text
        assert page.count("answered by") == german.count("angenommen von") == 1


async def test_no_file_no_icon(house: House) -> None:
    await house.call("1", outcome="refused", outcome_reason="refused_by_key", outcome_params={})
    await house.call("2", outcome="failed", outcome_reason="disk", outcome_params={"detail": "EIO"})
    await house.recording("2", state="failed", relative_path=None, file=False)
    house.journal.put(call_opened("3"))
    house.journal.put(
        SegmentOpened(
            id="r3",
            call_id="call-3",
            number=1,
            relative_path=relative_path("3"),
            started_at=AT,
        )
    )
    await house.call("4", outcome_reason="from_a_newer_version")
    assert await house.journal.drain(5)
    async with house.logged_in() as browser:
        page = (await browser.get("/calls")).text
    assert page.count('class="play"') == 1, "of the one that runs"
    assert 'class="fetch"' not in page
    assert '<span class="badge">live</span>' in page
    seen = text_of(page)
    assert "The other party was asked and did not agree." in seen
    assert "The recording could not be written: EIO." in seen
    assert "The recording is running." in seen
    assert "in progress" in seen
    assert "recorded" in seen


async def test_search_by_number_date_and_outcome(house: House) -> None:
    # Midnight in Berlin is 23:00 UTC.
    midnight = AT - 13 * 3600 * SECOND
    await house.call("1", call_opened("1", midnight - SECOND, "+4930111", "101"))
    await house.call("2", call_opened("2", midnight, "+4930222", "101"), outcome="refused")
    await house.call("3", call_opened("3", midnight + DAY_US - SECOND, "101", "+4930111"))

    async def found(query: str) -> list[str]:
        page = (await browser.get(f"/calls?{query}")).text
        times = re.findall(r'datetime="([^"]+)"', page)
        names = {"2026-01-04T22": "1", "2026-01-04T23": "2", "2026-01-05T22": "3"}
        return [names[time[:13]] for time in times]

    async with house.logged_in() as browser:
        assert await found("") == ["3", "2", "1"]
        assert await found("number=4930111") == ["3", "1"]
        assert await found("number=%25") == []
        assert await found("from=2026-01-05") == ["3", "2"]
        assert await found("to=2026-01-04") == ["1"]
        assert await found("from=2026-01-05&to=2026-01-05&outcome=refused") == ["2"]
        assert await found("from=nonsense&to=9999-12-31&outcome=nonsense") == ["3", "2", "1"]
        swapped = text_of((await browser.get("/calls?from=2026-01-05&to=2026-01-04")).text)
        assert "is later than" in swapped
        assert "No call matches this search." in swapped


async def test_older_calls_are_on_the_next_page_of_the_same_search(house: House) -> None:
    for name in "12345":
        await house.call(name, call_opened(name, AT + int(name) * SECOND))
    async with house.logged_in(app=house.app(page_size=2)) as browser:
        page = (await browser.get("/calls?number=101")).text
        older = re.search(r'href="(/calls\?[^"]+)" rel="next"', page)
        assert older is not None
        assert "Newest" not in page
        page = (await browser.get(older[1].replace("&amp;", "&"))).text
        assert re.findall(r"12:00:0\d", page) == ["12:00:03", "12:00:02"]
        assert 'href="/calls?number=101">Newest' in page


async def test_a_listener_sees_calls_of_his_extensions(house: House) -> None:
    await house.call("1")
    await house.call("2", call_opened("2", AT, "103", "104"), ("103", "104"))
    async with house.logged_in("eve", "listener", ("104",)) as browser:
        seen = text_of((await browser.get("/calls")).text)
    assert "103" in seen
    assert "101" not in seen


async def test_before_the_first_call_the_page_says_what_to_do(house: House) -> None:
    async with house.logged_in() as browser:
        seen = text_of((await browser.get("/calls")).text)
    assert "No calls yet." in seen
    assert "Calls now: 2 · recordings: 1 · phones registered: 3" in seen


# --- extensions


async def test_an_agreement_is_entered_and_the_mode_set(house: House) -> None:
    await extension(house)
    async with house.logged_in() as browser:
        before = (await browser.get("/extensions")).text
        assert '<option value="automatic" disabled>' in before
        house.clock.pass_s(60)
        answer = await browser.submit("/extensions/101/opt-in")
        assert (answer.status_code, answer.headers["location"]) == (303, "/extensions?saved=101")
        answer = await browser.submit("/extensions/101/mode", mode="automatic")
        page = (await browser.get(answer.headers["location"], headers=GERMAN)).text
    seen = text_of(page)
    assert "Nebenstelle 101: gespeichert." in seen
    assert "Zugestimmt am 05.01.2026, 13:01 eingetragen von ada" in seen
    assert '<option value="automatic" selected>' in page
    (row,) = await house.reader.extensions()
    assert (row.mode, row.opt_in_at, row.opt_in_by) == ("automatic", AT + 60 * SECOND, "web:ada")
    changes = [entry for entry in await house.reader.audit() if entry.action == "extension.change"]
    assert {(entry.actor, entry.object) for entry in changes} == {("web:ada", "101")}
    assert json.loads(changes[0].detail) == {"mode": "automatic", "mode_was": "off"}


async def test_a_withdrawal_switches_off_in_the_same_change(house: House) -> None:
    await extension(house, "101", "automatic", opt_in=True)
    await extension(house, "102", "never", opt_in=True)
    async with house.logged_in() as browser:
        assert (await browser.submit("/extensions/101/withdraw")).status_code == 303
        assert (await browser.submit("/extensions/102/withdraw")).status_code == 303
    rows = await house.reader.extensions()
    assert [(row.mode, row.opt_in_at) for row in rows] == [("off", None), ("never", None)]


async def test_without_agreement_nothing_can_be_switched_on(house: House) -> None:
    await extension(house)
    async with house.logged_in() as browser:
        for mode in ("manual", "automatic"):
            answer = await browser.submit("/extensions/101/mode", mode=mode)
            assert answer.status_code == 409
            assert "Extension 101 has not agreed yet." in answer.text
        assert (await browser.submit("/extensions/101/mode", mode="never")).status_code == 303
        assert (await browser.submit("/extensions/101/mode", mode="loud")).status_code == 422
        assert (await browser.submit("/extensions/999/mode", mode="off")).status_code == 404
        assert (await browser.submit("/extensions/999/opt-in")).status_code == 404


async def test_the_finer_settings_are_set_and_told(house: House) -> None:
    await extension(house, "101", "automatic", opt_in=True)
    async with house.logged_in() as browser:
        before = (await browser.get("/extensions")).text
        assert before.count(" checked") == 3, "every direction"
        answer = await browser.submit(
            "/extensions/101/settings",
            manual_consent="attested",
            direction_incoming="on",
            user_may_stop="on",
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/extensions?saved=101")
        (row,) = await house.reader.extensions()
        assert (row.manual_consent, row.directions, row.user_may_stop) == (
            "attested",
            "incoming",
            True,
        )
        english = text_of((await browser.get("/extensions")).text)
        assert "Only: Incoming calls. May be stopped with *1." in english
        german = (await browser.get("/extensions", headers=GERMAN)).text
        assert '<option value="attested" selected>Die Nebenstelle fragt selbst' in german
        assert german.count(" checked") == 2
        await browser.submit("/extensions/101/mode", mode="manual")
        german = text_of((await browser.get("/extensions", headers=GERMAN)).text)
        assert "mit *1. Die Nebenstelle fragt selbst." in german


async def test_finer_settings_that_mean_nothing_are_refused(house: House) -> None:
    await extension(house)
    async with house.logged_in() as browser:
        answer = await browser.submit("/extensions/101/settings", manual_consent="ask")
        assert answer.status_code == 409
        assert "one direction at least" in answer.text
        answer = await browser.submit("/extensions/101/settings", direction_incoming="on")
        assert answer.status_code == 422
        fields = {"manual_consent": "ask", "direction_internal": "on"}
        assert (await browser.submit("/extensions/9/settings", **fields)).status_code == 404


async def test_where_the_calls_of_an_extension_go_is_set_and_told(house: House) -> None:
    await extension(house)
    fields = {"always": "", "busy": "102", "no_answer": " 0301234 ", "offline": "", "after_s": "15"}
    async with house.logged_in() as browser:
        answer = await browser.submit("/extensions/101/forward", **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/extensions?saved=101")
        (row,) = await house.reader.extensions()
        assert (row.forward_always, row.forward_busy, row.forward_no_answer) == (
            "",
            "102",
            "0301234",
        )
        assert (row.forward_offline, row.forward_after_s) == ("", 15)
        english = (await browser.get("/extensions")).text
        assert "When busy to: 102; Without an answer to: 0301234" in text_of(english)
        assert 'name="busy" value="102"' in english
        german = text_of((await browser.get("/extensions", headers=GERMAN)).text)
        assert "Wenn besetzt an: 102" in german
        await browser.submit("/extensions/101/forward", after_s="20")
        assert "102" not in (await browser.get("/extensions")).text


@pytest.mark.parametrize(
    "wrong",
    [{"busy": "*1"}, {"always": "anna"}, {"offline": "1"}, {"after_s": ""}, {"after_s": "0"}],
)
async def test_what_is_no_forwarding_is_refused(house: House, wrong: dict[str, str]) -> None:
    await extension(house)
    async with house.logged_in() as browser:
        answer = await browser.submit("/extensions/101/forward", **({"after_s": "20"} | wrong))
        assert answer.status_code == 409
        assert "numbers only" in answer.text
        (row,) = await house.reader.extensions()
        assert row.forward_busy == row.forward_always == row.forward_offline == ""
        assert (await browser.submit("/extensions/9/forward", after_s="20")).status_code == 404


async def test_whether_the_sound_is_encrypted_is_set(house: House) -> None:
    await extension(house)
    async with house.logged_in() as browser:
        assert '<option value="default" selected>' in (await browser.get("/extensions")).text
        answer = await browser.submit("/extensions/101/srtp", srtp="required")
        assert (answer.status_code, answer.headers["location"]) == (303, "/extensions?saved=101")
        (row,) = await house.reader.extensions()
        assert row.srtp == "required"
        german = (await browser.get("/extensions", headers=GERMAN)).text
        assert '<option value="required" selected>Immer, sonst kein Anruf<' in german
        assert (await browser.submit("/extensions/101/srtp", srtp="always")).status_code == 422
        assert (await browser.submit("/extensions/9/srtp", srtp="off")).status_code == 404
        await browser.submit("/extensions/101/srtp", srtp="default")
        (row,) = await house.reader.extensions()
        assert row.srtp == ""


async def test_how_keys_are_pressed_is_set(house: House) -> None:
    await extension(house)
    async with house.logged_in() as browser:
        assert 'name="dtmf_info">' in (await browser.get("/extensions")).text
        answer = await browser.submit("/extensions/101/dtmf", dtmf_info="on", dtmf_in_band="on")
        assert (answer.status_code, answer.headers["location"]) == (303, "/extensions?saved=101")
        (row,) = await house.reader.extensions()
        assert row.dtmf == "info,in_band"
        german = (await browser.get("/extensions", headers=GERMAN)).text
        assert 'name="dtmf_in_band" checked> Töne im Gespräch' in german
        assert 'name="dtmf_rfc4733">' in german
        assert (await browser.submit("/extensions/9/dtmf")).status_code == 404
        await browser.submit("/extensions/101/dtmf")
        (row,) = await house.reader.extensions()
        assert row.dtmf == ""


async def test_a_refusal_of_the_server_is_shown(house: House) -> None:
    await extension(house)

    async with house.logged_in() as browser:
        token = await browser.csrf_token()
        house.changes.silent = True
        answer = await browser.post("/extensions/101/opt-in", data={"csrf_token": token})
        assert answer.status_code == 503


async def test_who_is_registered_is_shown_and_no_secret(house: House) -> None:
    await extension(house, "101", opt_in=True)
    await extension(house, "102")
    house.journal.put(
        BindingStored(
            aor="101",
            contact="sip:101@192.0.2.1",
            transport="UDP",
            local_host="127.0.0.1",
            local_port=5060,
            remote_host="192.0.2.1",
            remote_port=5070,
            registered_at=AT,
            expires_at=AT + 60 * SECOND,
            call_id="x",
            cseq=1,
        )
    )
    assert await house.journal.drain(5)
    async with house.logged_in() as browser:
        page = (await browser.get("/extensions")).text
        assert text_of(page).count(" registered") == 2, "one of them: not registered"
        assert "not registered" in page
        assert "a" * 32 not in page
        house.clock.pass_s(60)
        assert text_of((await browser.get("/extensions")).text).count("not registered") == 2


async def test_a_listener_looks_at_his_own_and_changes_nothing(house: House) -> None:
    await extension(house, "101", opt_in=True)
    await extension(house, "102")
    async with house.logged_in("eve", "listener", ("101",)) as browser:
        page = (await browser.get("/extensions")).text
        assert "102" not in page
        assert page.count("<form") == 1, "the logout"
        assert "Only an administrator can change this." in page
        assert (await browser.get("/storage")).status_code == 403


# --- storage


def with_figures(house: House, total: int, free: int) -> None:
    state = StorageState(trouble=None, total_octets=total, free_octets=free)
    figures = StorageFigures(
        folder="/srv/rec", total_octets=total, free_octets=free, level=state.level.value
    )
    house.ports = replace(house.ports, storage=FixedStorage(figures))


class FixedStorage:
    def __init__(self, figures: StorageFigures) -> None:
        self._figures = figures

    def figures(self) -> StorageFigures:
        if self._figures.total_octets < 0:
            raise OSError(errno.ESTALE, "Stale file handle")
        return self._figures

    def test(self) -> str | None:
        return "Permission denied"


async def test_the_day_when_the_disk_will_be_full(house: House) -> None:
    with_figures(house, 100_000_000_000, 20_000_000_000)
    for day in range(4):
        name = str(day)
        await house.recording(name, file=False, octets=2_000_000_000, duration_s=600_000)
        # The segment's own begin decides, so that each day has one.
        await house.journal.drain(5)
    house.clock.pass_s(3 * 86400)
    async with house.logged_in() as browser:
        seen = text_of((await browser.get("/storage")).text)
        german = text_of((await browser.get("/storage", headers=GERMAN)).text)
    assert "Recordings 8 GB in 4 files" in seen
    assert "Used 80 GB of 100 GB" in seen
    assert "Free 20 GB about 100,000 minutes" in seen
    assert "Growth per day 2 GB 10,000 minutes a day, average of 4 days" in seen
    assert "Full on 18 Jan 2026 in 10 days" in seen
    assert "Voll am 18.01.2026 in 10 Tagen" in german
    assert "80 % of the disk used" in seen


@pytest.mark.parametrize(
    ("free", "words"),
    [(4, "no new recordings begin. Calls go on."), (9, "Make room soon."), (50, "")],
)
async def test_a_disk_that_fills_up_is_told(house: House, free: int, words: str) -> None:
    with_figures(house, 100_000_000_000, free * 1_000_000_000)
    async with house.logged_in() as browser:
        page = (await browser.get("/storage")).text
    assert words in page
    assert ('role="alert"' in page) == bool(words)


async def test_before_any_traffic_nothing_is_foretold(house: House) -> None:
    with_figures(house, 100_000_000_000, 50_000_000_000)
    async with house.logged_in() as browser:
        seen = text_of((await browser.get("/storage")).text)
    assert "no traffic yet" in seen
    assert "not in sight" in seen


async def test_two_thousand_minutes_a_day_are_400_megabytes(house: House) -> None:
    async with house.logged_in() as browser:
        first = text_of((await browser.get("/storage")).text)
        asked = text_of((await browser.get("/storage?minutes=500&days=30")).text)
        german = text_of((await browser.get("/storage?minutes=1&days=8", headers=GERMAN)).text)
        bad = (await browser.get("/storage?minutes=-1&days=1e9")).text
        large = (await browser.get("/storage?minutes=10000001&days=1")).text
    assert "400 MB a day, 146 GB in 365 days" in first
    assert "100 MB a day, 3 GB in 30 days" in asked
    assert "200 KB am Tag, 1,6 MB in 8 Tagen" in german
    assert "Please enter two numbers" in bad
    assert "Please enter two numbers" in large


async def test_the_test_button_writes_and_is_audited(house: House) -> None:
    async with house.logged_in() as browser:
        answer = await browser.submit("/storage/test")
        assert (answer.status_code, "All is well." in answer.text) == (200, True)
        assert list(house.folder.iterdir()) == []
        house.folder.rmdir()
        answer = await browser.submit("/storage/test")
        assert "The folder can&#39;t be written:" in answer.text
        assert "The folder can&#39;t be reached: No such file or directory" in answer.text
    assert (await house.audited())[-1] == ("web:ada", "storage.test", "recordings")


async def test_a_share_that_is_away_leaves_the_rest_of_the_page(house: House) -> None:
    with_figures(house, -1, 0)
    async with house.logged_in() as browser:
        page = await browser.get("/storage")
        tested = await browser.submit("/storage/test")
    assert page.status_code == 200
    assert "Stale file handle" in page.text
    assert "Calculate the need" in page.text
    assert "Permission denied" in tested.text
