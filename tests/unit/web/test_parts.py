"""Pure parts: throttle, texts, formats, passwords."""

import re
import string
from datetime import UTC, date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.house import AT, HASH, HASHER, PASSWORD
from web import throttle
from web.formats import (
    clock_text,
    day_text,
    duration_text,
    local,
    moment_text,
    number_text,
    rfc3339,
    size_text,
    start_of_day,
)
from web.passwords import Passwords, hash_password
from web.settings import HERE
from web.texts import CATALOGUE, LANGUAGES, Texts, preferred
from web.throttle import ACCOUNT, PAIR, SOURCE, LoginThrottle

BERLIN = ZoneInfo("Europe/Berlin")


def test_both_languages_say_the_same_things() -> None:
    for key, texts in CATALOGUE.items():
        assert set(texts) == set(LANGUAGES), key
        fields = [
            {name for _, name, _, _ in string.Formatter().parse(texts[language]) if name}
            for language in LANGUAGES
        ]
        assert fields[0] == fields[1], key
        assert all(text.strip() == text and text for text in texts.values()), key


def test_every_sentence_is_used_and_every_used_one_exists() -> None:
    sources = [*HERE.rglob("*.py"), *HERE.rglob("*.html")]
    words = {"texts.py", "audit_texts.py"}
    written = "".join(path.read_text() for path in sources if path.name not in words)
    for key in re.findall(r'\bt\("([a-z0-9_.]+)"[,)]', written):
        assert key in CATALOGUE
    states = ("error.", "outcome.", "disposition.", "column.", "nav.")
    settings = ("direction.", "directions.", "mode.", "consent.", "forward.", "srtp.", "dtmf.")
    proofs = ("basis.", "decision.", "side.", "transport.", "departure.", "starter.", "state.")
    log = (
        "via.",
        "audit.",
        "field.",
        "kind.",
        "role.",
        "object.",
        "file.",
        "outcome_of_file.",
        "check.log_",
    )
    made = (*states, *settings, *proofs, *log)
    unused = [key for key in CATALOGUE if not key.startswith(made) and f'"{key}"' not in written]
    assert unused == []


def test_a_word_that_we_do_not_know_stays_as_it_is() -> None:
    assert Texts("de").word("disposition", "NO ANSWER") == "Nicht angenommen"
    assert Texts("en").word("disposition", "CONGESTION") == "CONGESTION"
    with pytest.raises(KeyError):
        Texts("en")("no such key")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-CH, en;q=0.9", "de"),
        ("fr, de;q=0.3, en;q=0.8", "en"),
        ("en;q=0.2,de;q=0.8", "de"),
        ("de;q=0", "en"),
        ("*", "en"),
        (";;;,,,=", "en"),
        ("DE", "de"),
        ("x" * 10_000, "en"),
    ],
)
def test_the_browsers_language(header: str, language: str) -> None:
    assert preferred(header) == language


@given(st.text())
def test_no_header_breaks_the_choice_of_a_language(header: str) -> None:
    assert preferred(header) in LANGUAGES


def test_times() -> None:
    moment = local(AT + 1_500_000, BERLIN)
    assert clock_text(moment) == "13:00:01"
    assert moment_text(moment, "en") == "5 Jan 2026, 13:00"
    assert day_text(date(2026, 11, 24), "de") == "24.11.2026"
    assert rfc3339(AT + 1_500_000) == "2026-01-05T12:00:01.500Z"
    assert start_of_day(date(2026, 1, 5), UTC) == AT - 12 * 3600 * 1_000_000
    assert start_of_day(date(2026, 7, 1), BERLIN) % 86_400_000_000 == 22 * 3600 * 1_000_000
    assert start_of_day(date(2026, 1, 5), None) % 60_000_000 == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.4, "0:07"), (59.7, "1:00"), (754, "12:34"), (3723, "1:02:03"), (-1, "0:00")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("octets", "english", "german"),
    [
        (0, "0 B", "0 B"),
        (999, "999 B", "999 B"),
        (1000, "1 KB", "1 KB"),
        (1_640_000, "1.6 MB", "1,6 MB"),
        (400_000_000, "400 MB", "400 MB"),
        (999_950_000, "1 GB", "1 GB"),
        (146e9, "146 GB", "146 GB"),
        (9.99e18, "9,990 PB", "9.990 PB"),
    ],
)
def test_sizes(octets: float, english: str, german: str) -> None:
    assert (size_text(octets, "en"), size_text(octets, "de")) == (english, german)


def test_numbers() -> None:
    assert number_text(1234567.89, "en", 1) == "1,234,567.9"
    assert number_text(1234567.89, "de", 1) == "1.234.567,9"


def test_waiting_doubles_up_to_a_limit() -> None:
    assert [PAIR.wait_s(tries) for tries in (0, 4, 5, 6, 7)] == [0, 0, 2, 4, 8]
    assert PAIR.wait_s(10**9) == PAIR.longest_s


def test_an_account_tried_from_everywhere_waits_half_a_minute_at_most() -> None:
    guard, now = LoginThrottle(), 0.0
    waits = []
    for n in range(100):
        wait = guard.enter("ada", f"192.0.2.{n}", now)
        waits.append(wait)
        now += wait
        if wait:
            assert guard.enter("ada", f"192.0.2.{n}", now) == 0
    assert waits[: ACCOUNT.free] == [0] * ACCOUNT.free
    assert max(waits) == ACCOUNT.longest_s


def test_a_source_with_an_account_of_its_own_is_slowed_down_all_the_same() -> None:
    guard = LoginThrottle()
    for n in range(SOURCE.free):
        assert guard.enter("eve", "192.0.2.1", 0) == 0
        guard.succeeded("eve", "192.0.2.1")
        assert guard.enter(f"victim-{n}", "192.0.2.1", 0) == 0
    assert guard.enter("one-more", "192.0.2.1", 0) > 0


def test_old_tries_are_forgotten() -> None:
    guard = LoginThrottle()
    for _ in range(PAIR.free):
        guard.enter("ada", "192.0.2.1", 0)
    assert guard.enter("ada", "192.0.2.1", 1) > 0
    assert guard.enter("ada", "192.0.2.1", PAIR.forget_s + 1) == 0


def test_the_tables_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_ENTRIES", 10)
    guard = LoginThrottle()
    for n in range(100):
        guard.enter(f"user-{n}", f"source-{n}", 0)
    assert len(guard._pairs._tries) == len(guard._sources._tries) == 10


async def test_passwords() -> None:
    passwords = Passwords(HASHER)
    assert await passwords.verify(HASH, PASSWORD)
    assert not await passwords.verify(HASH, PASSWORD + "x")
    assert not await passwords.verify(None, "nobody's password"), "the decoy is no account"
    assert not await passwords.verify("no hash at all", PASSWORD)
    assert hash_password("x").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    passwords.close()


def test_the_style_sheet_has_no_address_and_no_import() -> None:
    for path in Path(HERE / "static").iterdir():
        text = path.read_text()
        assert "@import" not in text
        assert "url(" not in text
        assert not re.search(r"https?://(?!www\.w3\.org)", text)
