"""Each call has exactly one outcome, by the order of precedence."""

from hypothesis import given
from hypothesis import strategies as st

from recording.outcome import Facts, Outcome, conclude
from recording.reasons import Reason, ReasonKey, render

REASON = st.none() | st.builds(Reason, st.sampled_from(ReasonKey))
FACTS = st.builds(
    Facts,
    connected=st.booleans(),
    withdrawn=REASON,
    failure=REASON,
    started=st.booleans(),
    recorded_s=st.floats(0, 1e5),
    minimum_s=st.floats(0, 1e3),
    recorded_because=REASON,
    not_connected=REASON,
    refused=REASON,
    blocked=REASON,
    not_wanted=REASON,
)


def applying(facts: Facts) -> list[Outcome]:
    """Return all outcomes whose facts are there, by the words of the design."""
    enough = 0 < facts.recorded_s >= facts.minimum_s
    holds = {
        Outcome.WITHDRAWN: facts.withdrawn is not None,
        Outcome.FAILED: facts.failure is not None,
        Outcome.RECORDED: enough,
        Outcome.TOO_SHORT: facts.started or facts.recorded_s > 0,
        Outcome.NOT_CONNECTED: not facts.connected,
        Outcome.REFUSED: facts.refused is not None,
        Outcome.BLOCKED: facts.blocked is not None,
        Outcome.NOT_WANTED: True,
    }
    return [outcome for outcome in Outcome if holds[outcome]]


@given(FACTS)
def test_the_first_that_applies(facts: Facts) -> None:
    conclusion = conclude(facts)
    assert conclusion.outcome is applying(facts)[0]
    assert conclude(facts) == conclusion


@given(FACTS)
def test_the_sentence_is_there_in_both_languages(facts: Facts) -> None:
    reason = conclude(facts).reason
    assert render(reason, "en")
    assert render(reason, "de")


def test_the_order_is_that_of_the_design() -> None:
    assert list(Outcome) == [
        "withdrawn", "failed", "recorded", "too_short",
        "not_connected", "refused", "blocked", "not_wanted",
    ]  # fmt: skip
