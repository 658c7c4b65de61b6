"""The question: only the right key, at the right time, from the asked party is a yes."""

import pytest

from ivr.consent_menu import (
    TABLE,
    ConsentMenu,
    Decision,
    Departure,
    DigitPressed,
    Event,
    PartyLeft,
    PromptEnded,
    PromptProgressed,
    PromptStarted,
    Question,
    QuestionCancelled,
    SessionRefreshed,
    State,
    TimePassed,
    Verdict,
    prompt_due,
)
from ivr.key_pad import Way

QUESTION = Question(
    prompt_id="consent", language="de", sha256="ab" * 32, duration_ms=8000, counts_from_ms=3500
)


def digit(key: str, at: float, played_ms: int | None = None) -> DigitPressed:
    return DigitPressed(
        key=key, at=at, transport=Way.RFC4733, rtp_timestamp=77, ssrc=5, played_ms=played_ms
    )


def tell(menu: ConsentMenu, *events: Event) -> Verdict | None:
    """The verdict, which may fall only once."""
    verdicts = [verdict for event in events if (verdict := menu.handle(event)) is not None]
    assert len(verdicts) <= 1
    return verdicts[0] if verdicts else None


@pytest.fixture
def menu() -> ConsentMenu:
    return ConsentMenu(QUESTION, 10.0)


@pytest.fixture
def playing(menu: ConsentMenu) -> ConsentMenu:
    assert tell(menu, PromptStarted(11.0)) is None
    return menu


def test_one_grants_with_all_facts(playing: ConsentMenu) -> None:
    verdict = tell(playing, PromptProgressed(15.0, 4000), digit("1", 16.0, 5000))
    assert verdict == Verdict(
        decision=Decision.GRANTED,
        at=16.0,
        prompt_id="consent",
        language="de",
        sha256="ab" * 32,
        played_ms=5000,
        completed=False,
        digit="1",
        transport=Way.RFC4733,
        rtp_timestamp=77,
        ssrc=5,
    )
    assert playing.verdict is verdict
    assert playing.next_timeout() is None


@pytest.mark.parametrize("key", "0234567890*#ABCD")
def test_another_key_refuses_at_once(playing: ConsentMenu, key: str) -> None:
    verdict = tell(playing, digit(key, 15.0))
    assert verdict is not None
    assert (verdict.decision, verdict.digit) == (Decision.REFUSED, key)


@pytest.mark.parametrize("key", "12*")
def test_before_the_set_point_no_key_is_an_answer(playing: ConsentMenu, key: str) -> None:
    assert tell(playing, digit(key, 14.499), digit(key, 14.6, played_ms=3499)) is None
    assert playing.state is State.PLAYING
    verdict = tell(playing, digit("1", 14.5))
    assert verdict is not None
    assert verdict.decision is Decision.GRANTED


def test_no_key_counts_before_the_prompt_begins(menu: ConsentMenu) -> None:
    assert tell(menu, digit("1", 10.5), digit("2", 10.6, played_ms=8000)) is None


def test_a_key_after_the_end_counts_until_five_seconds_are_over(playing: ConsentMenu) -> None:
    assert tell(playing, PromptEnded(19.0, 8000, completed=True)) is None
    assert playing.next_timeout() == 24.0
    verdict = tell(playing, TimePassed(23.9), digit("1", 24.0))
    assert verdict is not None
    assert (verdict.decision, verdict.completed, verdict.played_ms) == (
        Decision.GRANTED,
        True,
        8000,
    )


def test_silence_is_a_no_five_seconds_after_the_end(playing: ConsentMenu) -> None:
    verdict = tell(playing, PromptEnded(19.0, 8000, completed=True), TimePassed(24.0))
    assert verdict is not None
    assert (verdict.decision, verdict.at, verdict.completed) == (Decision.TIMED_OUT, 24.0, True)


def test_a_key_that_comes_too_late_is_no_yes_even_before_the_timer_fires(
    playing: ConsentMenu,
) -> None:
    verdict = tell(playing, PromptEnded(19.0, 8000, completed=True), digit("1", 24.01))
    assert verdict is not None
    assert (verdict.decision, verdict.digit) == (Decision.TIMED_OUT, None)


@pytest.mark.parametrize("how", Departure)
@pytest.mark.parametrize("state", [State.WAITING, State.PLAYING, State.LISTENING])
def test_who_leaves_has_not_agreed(menu: ConsentMenu, how: Departure, state: State) -> None:
    if state is not State.WAITING:
        tell(menu, PromptStarted(11.0))
    if state is State.LISTENING:
        tell(menu, PromptEnded(19.0, 8000, completed=True))
    verdict = tell(menu, PartyLeft(19.5, how), digit("1", 19.6))
    assert verdict is not None
    assert (verdict.decision, verdict.departure) == (Decision.LEFT, how)


def test_a_session_refresh_is_nothing(playing: ConsentMenu) -> None:
    assert tell(playing, SessionRefreshed(15.0)) is None
    assert tell(playing, digit("1", 15.1)) is not None


def test_the_asking_side_may_cancel(playing: ConsentMenu) -> None:
    verdict = tell(playing, QuestionCancelled(15.0), digit("1", 15.1), TimePassed(99.0))
    assert verdict is not None
    assert verdict.decision is Decision.CANCELLED


def test_a_prompt_that_never_begins_is_a_no(menu: ConsentMenu) -> None:
    assert menu.next_timeout() == 20.0
    verdict = tell(menu, TimePassed(20.0))
    assert verdict is not None
    assert (verdict.decision, verdict.played_ms) == (Decision.TIMED_OUT, 0)


def test_a_prompt_whose_end_is_never_told_is_a_no(playing: ConsentMenu) -> None:
    due = playing.next_timeout()
    assert due is not None
    assert due == pytest.approx(11 + 8 + 5 + 3)
    verdict = tell(playing, TimePassed(due))
    assert verdict is not None
    assert verdict.decision is Decision.TIMED_OUT


def test_a_prompt_that_breaks_off_before_its_set_point_is_a_no(playing: ConsentMenu) -> None:
    verdict = tell(playing, PromptEnded(12.0, 1000, completed=False), digit("1", 16.0))
    assert verdict is not None
    assert (verdict.decision, verdict.played_ms) == (Decision.TIMED_OUT, 1000)


def test_a_prompt_that_breaks_off_later_still_listens(playing: ConsentMenu) -> None:
    verdict = tell(playing, PromptEnded(16.0, 5000, completed=False), digit("1", 17.0))
    assert verdict is not None
    assert (verdict.decision, verdict.played_ms, verdict.completed) == (
        Decision.GRANTED,
        5000,
        False,
    )


def test_a_digit_by_info_is_measured_by_the_clock() -> None:
    menu = ConsentMenu(QUESTION, 10.0)
    tell(menu, PromptStarted(11.0))
    info = DigitPressed(key="1", at=30.0, transport=Way.INFO)
    tell(menu, PromptEnded(26.0, 8000, completed=True))
    verdict = tell(menu, info)
    assert verdict is not None
    assert (verdict.decision, verdict.transport, verdict.ssrc, verdict.played_ms) == (
        Decision.GRANTED,
        Way.INFO,
        None,
        8000,
    )


def test_the_table_decides_every_event_in_every_state() -> None:
    events = set(Event.__args__)
    assert set(TABLE) == {(state, event) for state in State for event in events}


def test_when_the_prompt_begins() -> None:
    assert prompt_due(acknowledged_at=10.0, first_packet_at=None) == 11.0
    assert prompt_due(acknowledged_at=10.0, first_packet_at=9.0) == pytest.approx(10.3)
    assert prompt_due(acknowledged_at=10.0, first_packet_at=10.2) == pytest.approx(10.5)
    assert prompt_due(acknowledged_at=10.0, first_packet_at=10.9) == 11.0


@pytest.mark.parametrize("completed", [True, False])
def test_a_prompt_that_ends_without_having_begun_was_not_heard(
    menu: ConsentMenu, *, completed: bool
) -> None:
    verdict = tell(menu, PromptEnded(12.0, 8000, completed=completed), digit("1", 18.0))
    assert verdict is not None
    assert (verdict.decision, verdict.played_ms) == (Decision.TIMED_OUT, 0)
