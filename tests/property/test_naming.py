"""A stranger's number can't leave the folder, whatever it is."""

import re
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from recording.folder import checked_parts
from recording.naming import MAX_CALL_ID, recording_path, sanitised

TEXT = st.text(max_size=300)
SHAPE = re.compile(
    r"\d{4}/\d\d/\d\d/\d{6}_[0-9A-Za-z+-]{1,32}_[0-9A-Za-z+-]{1,32}_[0-9A-Za-z+-]{1,64}(_\d+)?\.mp3"
)


@given(st.datetimes(), TEXT, TEXT, TEXT, st.integers(1, 10_000))
def test_a_path_has_its_shape(
    started: datetime, caller: str, callee: str, call_id: str, segment: int
) -> None:
    path = recording_path(started, caller=caller, callee=callee, call_id=call_id, segment=segment)
    assert SHAPE.fullmatch(path)
    assert path.isascii()
    *_, name = checked_parts(path)
    assert len(name + ".json.part") < 255


@given(TEXT)
def test_sanitising_twice_changes_nothing(text: str) -> None:
    once = sanitised(text, MAX_CALL_ID)
    assert sanitised(once, MAX_CALL_ID) == once
