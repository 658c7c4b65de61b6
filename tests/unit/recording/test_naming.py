from datetime import datetime

from recording.naming import recording_path, sanitised

AT = datetime(2026, 3, 9, 7, 5, 2)  # noqa: DTZ001 - local time is what the name shows


def test_the_name_tells_day_time_parties_and_call() -> None:
    path = recording_path(AT, caller="+4930123456", callee="101", call_id="1a2b3c")
    assert path == "2026/03/09/070502_+4930123456_101_1a2b3c.mp3"


def test_segments_count_from_the_second() -> None:
    def path(segment: int) -> str:
        return recording_path(AT, caller="1", callee="2", call_id="c", segment=segment)

    assert path(1) == "2026/03/09/070502_1_2_c.mp3"
    assert path(3) == "2026/03/09/070502_1_2_c_3.mp3"


def test_strangers_can_not_choose_the_path() -> None:
    path = recording_path(AT, caller="../../etc/passwd", callee='"; rm -rf *#1', call_id="a_b\n\0c")
    assert path == "2026/03/09/070502_etc-passwd_rm-rf-1_a-b-c.mp3"


def test_nobody_is_unknown() -> None:
    assert sanitised("", 32) == sanitised("*#_/..", 32) == sanitised("ÄÖÜ", 32) == "unknown"


def test_long_numbers_are_cut() -> None:
    assert sanitised("9" * 1000, 32) == "9" * 32
    assert sanitised("12345-789", 6) == "12345"
