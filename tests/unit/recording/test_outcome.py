import pytest

from recording.outcome import Facts, Outcome, conclude
from recording.reasons import ReasonKey, because

DISK = because(ReasonKey.DISK, detail="full")
NEVER = because(ReasonKey.NEVER, number="101")
REFUSED = because(ReasonKey.REFUSED_BY_KEY)
LEFT = because(ReasonKey.WITHDRAWN, party="102")


@pytest.mark.parametrize(
    ("facts", "outcome", "why"),
    [
        (Facts(connected=True), Outcome.NOT_WANTED, ReasonKey.NOBODY_ASKED),
        (
            Facts(connected=True, not_wanted=because(ReasonKey.MODE_OFF)),
            Outcome.NOT_WANTED,
            ReasonKey.MODE_OFF,
        ),
        (Facts(connected=False), Outcome.NOT_CONNECTED, ReasonKey.NOT_CONNECTED),
        (
            Facts(connected=False, not_connected=because(ReasonKey.BUSY, number="1")),
            Outcome.NOT_CONNECTED,
            ReasonKey.BUSY,
        ),
        (Facts(connected=False, blocked=NEVER), Outcome.NOT_CONNECTED, ReasonKey.NOT_CONNECTED),
        (Facts(connected=True, blocked=NEVER), Outcome.BLOCKED, ReasonKey.NEVER),
        (
            Facts(connected=True, blocked=NEVER, refused=REFUSED),
            Outcome.REFUSED,
            ReasonKey.REFUSED_BY_KEY,
        ),
        (Facts(connected=True, started=True), Outcome.TOO_SHORT, ReasonKey.TOO_SHORT),
        (
            Facts(connected=True, started=True, recorded_s=1.9, minimum_s=2.0),
            Outcome.TOO_SHORT,
            ReasonKey.TOO_SHORT,
        ),
        (
            Facts(connected=True, started=True, recorded_s=2.0, minimum_s=2.0),
            Outcome.RECORDED,
            ReasonKey.RECORDED,
        ),
        (
            Facts(connected=True, recorded_s=9.0, recorded_because=because(ReasonKey.RECOVERED)),
            Outcome.RECORDED,
            ReasonKey.RECOVERED,
        ),
        (Facts(connected=True, recorded_s=60.0, failure=DISK), Outcome.FAILED, ReasonKey.DISK),
        (
            Facts(connected=True, recorded_s=60.0, failure=DISK, withdrawn=LEFT),
            Outcome.WITHDRAWN,
            ReasonKey.WITHDRAWN,
        ),
        (
            Facts(connected=True, recorded_s=60.0, refused=REFUSED),
            Outcome.RECORDED,
            ReasonKey.RECORDED,
        ),
    ],
)
def test_conclusions(facts: Facts, outcome: Outcome, why: ReasonKey) -> None:
    conclusion = conclude(facts)
    assert (conclusion.outcome, conclusion.reason.key) == (outcome, why)
