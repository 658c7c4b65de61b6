"""What a caller is told when every contact has failed, and what the row says."""

import pytest

from b2bua.calls.call_over import all_failed
from recording.reasons import ReasonKey


@pytest.mark.parametrize(
    ("codes", "told", "row"),
    [
        ([486], 486, ("BUSY", 17, ReasonKey.BUSY)),
        ([600], 600, ("BUSY", 17, ReasonKey.BUSY)),
        ([603], 603, ("BUSY", 17, ReasonKey.REJECTED)),
        ([480, 486], 486, ("BUSY", 17, ReasonKey.BUSY)),
        ([404, 603, 480], 603, ("BUSY", 17, ReasonKey.REJECTED)),
        ([408], 480, ("NO ANSWER", 19, ReasonKey.UNREACHABLE)),
        ([503], 480, ("NO ANSWER", 19, ReasonKey.UNREACHABLE)),
        ([503, 480], 480, ("NO ANSWER", 19, ReasonKey.UNREACHABLE)),
        ([404], 404, ("FAILED", 31, ReasonKey.REJECTED)),
        ([500, 488], 488, ("FAILED", 31, ReasonKey.REJECTED)),
        # What only we could have answered is our failure: the caller has no password for it.
        ([401], 500, ("FAILED", 31, ReasonKey.REJECTED)),
        ([407], 500, ("FAILED", 31, ReasonKey.REJECTED)),
        ([302], 500, ("FAILED", 31, ReasonKey.REJECTED)),
        ([302, 486], 486, ("BUSY", 17, ReasonKey.BUSY)),
    ],
)
def test_every_contact_has_failed(
    codes: list[int], told: int, row: tuple[str, int, ReasonKey]
) -> None:
    over = all_failed(codes, "101")
    assert over.code == told
    assert over.why is not None
    assert (over.disposition, over.cause, over.why.key) == row
    assert over.side == "callee"
    assert dict(over.why.parameters)["number"] == "101"
