from string import Formatter

import pytest

from recording import reasons
from recording.reasons import (
    Language,
    Reason,
    ReasonKey,
    UnknownReasonError,
    because,
    decode,
    render,
)

LANGUAGES: tuple[Language, ...] = ("de", "en")


@pytest.mark.parametrize("key", ReasonKey)
def test_every_reason_has_one_sentence_in_both_languages(key: ReasonKey) -> None:
    german, english = (reasons._SENTENCES[key][language] for language in LANGUAGES)
    assert german.endswith(".")
    assert english.endswith(".")
    assert german != english
    fields = [
        {name for _, name, _, _ in Formatter().parse(sentence) if name}
        for sentence in (german, english)
    ]
    assert fields[0] == fields[1]


@pytest.mark.parametrize("key", ReasonKey)
def test_a_missing_parameter_is_no_error(key: ReasonKey) -> None:
    for language in LANGUAGES:
        assert render(Reason(key), language)


def test_figures_are_short() -> None:
    reason = because(ReasonKey.TOO_SHORT, seconds=1.26, minimum=2.0)
    assert render(reason, "en") == "Only 1.3 s were recorded, less than the minimum of 2 s."
    assert render(reason, "de") == (
        "Nur 1,3 s wurden aufgezeichnet, weniger als das Minimum von 2 s."
    )


@pytest.mark.parametrize(
    ("seconds", "english", "german"),
    [
        (7.34, "7.3 s", "7,3 s"),
        (59.0, "59 s", "59 s"),
        (59.6, "1:00 min", "1:00 min"),
        (251.4, "4:11 min", "4:11 min"),
    ],
)
def test_a_length_is_said_as_people_say_it(seconds: float, english: str, german: str) -> None:
    reason = because(ReasonKey.RECORDED, seconds=seconds)
    assert render(reason, "en") == f"Recorded: {english}."
    assert render(reason, "de") == f"Aufgezeichnet: {german}."


@pytest.mark.parametrize("seconds", ["inf", "nan", "some"])
def test_a_length_that_is_none_is_shown_as_it_stands(seconds: str) -> None:
    assert render(because(ReasonKey.RECORDED, seconds=seconds), "en") == f"Recorded: {seconds}."


def test_a_parameter_is_text_not_a_pattern() -> None:
    reason = because(ReasonKey.NEVER, number="{0.__class__}")
    assert render(reason, "en").startswith("Calls of extension {0.__class__} must")


def test_stored_and_read_again() -> None:
    reason = because(ReasonKey.DISK, detail="Müll")
    assert decode(reason.key, reason.encode()) == reason
    assert decode("mode_off", "") == Reason(ReasonKey.MODE_OFF)


@pytest.mark.parametrize(("key", "parameters"), [("no such", "{}"), ("disk", "[]"), ("disk", "{")])
def test_what_is_no_reason(key: str, parameters: str) -> None:
    with pytest.raises(UnknownReasonError):
        decode(key, parameters)
