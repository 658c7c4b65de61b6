"""The arithmetic of the load: names, spreading, and the account of what came back."""

from dataclasses import replace

import numpy as np
import pytest

from bench import alaw, generator, traffic

PLAN = traffic.Plan(calls=3, seconds=1)
PORTS = np.array([30000 + 2 * leg for leg in range(PLAN.legs)])
STEP_NS = PLAN.step_ns
BASE_NS = 1_700_000_000_000_000_000


def sent() -> traffic.Sent:
    steps = PLAN.frames * PLAN.slots
    members = [len(PLAN.members(slot)) for slot in range(PLAN.slots)]
    before = BASE_NS + np.arange(steps) * STEP_NS
    return traffic.Sent(
        before_ns=before,
        after_ns=before + 10_000,
        lag_ns=np.full(steps, 50_000),
        count=np.tile(members, PLAN.frames),
    )


def received(delay_ns: int = 100_000) -> traffic.Received:
    """Everything comes back to the right leg after the same time."""
    at, _ = traffic.send_times(PLAN, sent())
    heads = np.concatenate([traffic.packets(leg, 1)[:, : traffic.HEAD] for leg in range(PLAN.legs)])
    legs = np.repeat(np.arange(PLAN.legs), PLAN.frames)
    return traffic.Received(
        heads=heads,
        length=np.full(len(heads), traffic.PACKET),
        at_ns=at.reshape(-1) + delay_ns,
        port=PORTS[legs ^ 1],
    )


def test_a_clean_run() -> None:
    verdict = traffic.judge(PLAN, sent(), received(), PORTS)
    assert verdict.planned == verdict.sent == verdict.received == PLAN.legs * PLAN.frames
    assert (verdict.loss_pct, verdict.duplicates, verdict.strangers) == (0.0, 0, 0)
    assert verdict.delay_ms_p50 == verdict.delay_ms_p99 == pytest.approx(0.1)
    assert verdict.lag_ms_p99 == pytest.approx(0.05, abs=0.01)
    assert verdict.sent_pct == 100.0


def test_a_new_rtp_header_changes_nothing() -> None:
    back = received()
    heads = back.heads.copy()
    heads[:, 2 : traffic.HEADER] = 7
    verdict = traffic.judge(PLAN, sent(), replace(back, heads=heads), PORTS)
    assert verdict.loss_pct == 0.0


def test_lost_packets_are_counted() -> None:
    back = received()
    kept = {name: getattr(back, name)[3:] for name in ("heads", "length", "at_ns", "port")}
    verdict = traffic.judge(PLAN, sent(), traffic.Received(**kept), PORTS)
    assert verdict.sent - verdict.received == 3
    assert verdict.loss_pct == pytest.approx(1.0)


def test_a_duplicate_is_no_second_packet_and_hides_no_loss() -> None:
    back = received()
    twice = back.heads.copy()
    twice[5] = twice[4]
    verdict = traffic.judge(PLAN, sent(), replace(back, heads=twice), PORTS)
    assert verdict.duplicates == 1
    assert verdict.sent - verdict.received == 1


def test_a_packet_at_the_wrong_leg_is_lost() -> None:
    back = received()
    ports = back.port.copy()
    ports[0] = PORTS[4]
    verdict = traffic.judge(PLAN, sent(), replace(back, port=ports), PORTS)
    assert verdict.strangers == 1
    assert verdict.sent - verdict.received == 1


def test_a_cut_packet_is_lost() -> None:
    back = received()
    length = back.length.copy()
    length[0] -= 1
    verdict = traffic.judge(PLAN, sent(), replace(back, length=length), PORTS)
    assert verdict.sent - verdict.received == 1


def test_a_packet_that_was_not_sent_is_not_planned_away() -> None:
    log = sent()
    count = log.count.copy()
    count[int(np.flatnonzero(count)[0])] = 0
    verdict = traffic.judge(PLAN, replace(log, count=count), received(), PORTS)
    assert verdict.sent < verdict.planned
    assert verdict.loss_pct == 0.0
    assert verdict.strangers == verdict.planned - verdict.sent


def test_nothing_at_all_came_back() -> None:
    back = received()
    none = {name: getattr(back, name)[:0] for name in ("heads", "length", "at_ns", "port")}
    verdict = traffic.judge(PLAN, sent(), traffic.Received(**none), PORTS)
    assert verdict.loss_pct == 100.0
    assert np.isnan(verdict.delay_ms_p50)


@pytest.mark.parametrize("calls", [1, 7, 50, 200, 801])
def test_every_leg_has_one_slot_and_slots_are_evenly_filled(calls: int) -> None:
    plan = traffic.Plan(calls=calls, seconds=1)
    slots = [plan.members(slot) for slot in range(plan.slots)]
    assert sorted(leg for members in slots for leg in members) == list(range(plan.legs))
    assert max(map(len, slots)) - min(map(len, slots)) <= 1
    assert all(leg % 2 == slot % 2 for slot, members in enumerate(slots) for leg in members)
    assert plan.step_ns <= 1_000_000


def test_legs_begin_one_after_the_other_before_the_speech() -> None:
    plan = traffic.Plan(calls=300, seconds=1, lead_seconds=2)
    begins = [plan.first_frame(leg) for leg in range(plan.legs)]
    assert begins == sorted(begins)
    assert begins[0] == 0
    assert 80 <= begins[-1] < plan.lead_frames
    assert max(begins.count(frame) for frame in set(begins)) <= 8
    assert plan.speech_ns(0, 5) == 5 + 2_000_000_000
    active = generator.active_counts(plan)
    assert sum(active) == sum(plan.frames - begin for begin in begins)
    assert sum(active[-plan.slots :]) == plan.legs


def test_the_lead_is_silence_and_the_speech_is_unchanged_by_it() -> None:
    with_lead, without = traffic.payloads(3, 1, 2), traffic.payloads(3, 1)
    assert len(with_lead) == 150
    assert (with_lead[:100] & 0xFE == traffic.SILENCE & 0xFE).all()
    assert (with_lead[100:, traffic.TAG_BITS :] == without[:, traffic.TAG_BITS :]).all()


@pytest.mark.parametrize("leg", [0, 1, 1599, traffic.MAX_LEGS - 1])
def test_a_packets_name_survives(leg: int) -> None:
    heads = traffic.packets(leg, 2)[:, : traffic.HEAD]
    legs, frames = traffic.read_tags(heads)
    assert set(legs) == {leg}
    assert list(frames) == list(range(100))


def test_packets_are_rtp() -> None:
    packets = traffic.packets(4, 1)
    assert set(packets[:, 0]) == {0x80}
    assert list(packets[:2, 1]) == [0x88, 0x08]
    sequence = np.ascontiguousarray(packets[:, 2:4]).view(">u2").astype(int).reshape(-1)
    timestamp = np.ascontiguousarray(packets[:, 4:8]).view(">u4").astype(int).reshape(-1)
    assert set(np.diff(sequence) % 65536) == {1}
    assert set(np.diff(timestamp) % (1 << 32)) == {160}


def test_a_law_agrees_with_the_recommendation() -> None:
    assert alaw.DECODE[0xD5] == 8
    assert alaw.DECODE[0x55] == -8
    assert alaw.DECODE[0xAA] == 32256
    assert alaw.DECODE[0x2A] == -32256
    codes = np.arange(256, dtype=np.uint8)
    assert (alaw.encode(alaw.decode(codes)) == codes).all()


def test_stretches_of_one_run_are_judged_apart() -> None:
    back = received()
    _, frame = traffic.read_tags(back.heads)
    # Of the second half each leg's last packet is lost, and the rest is late.
    kept = frame < PLAN.frames - 1
    at = back.at_ns + np.where(frame >= 25, 2_000_000, 0)
    worse = traffic.Received(
        heads=back.heads[kept],
        length=back.length[kept],
        at_ns=at[kept],
        port=back.port[kept],
    )
    calm = traffic.judge(PLAN, sent(), worse, PORTS, range(25))
    disturbed = traffic.judge(PLAN, sent(), worse, PORTS, range(25, PLAN.frames))
    assert calm.planned == calm.sent == calm.received == 25 * PLAN.legs
    assert calm.delay_ms_p99 == pytest.approx(0.1)
    assert disturbed.sent - disturbed.received == PLAN.legs
    assert disturbed.delay_ms_p50 == pytest.approx(2.1)
