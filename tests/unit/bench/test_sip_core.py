"""The bench of a call's SIP: that its calls come to their end, and that both meters count."""

from bench import sip_core


def test_calls_come_to_their_end_and_nothing_of_them_is_left() -> None:
    meter = sip_core.CpuMeter()
    assert sip_core.play(2, meter) > 0


def test_the_functions_of_a_call_are_counted() -> None:
    meter = sip_core.CallMeter()
    functions = sip_core.play(2, meter)
    assert 500 < functions < 10_000
