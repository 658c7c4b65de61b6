"""What a recorder writes: judged by the decoded file, on a virtual clock."""

from pathlib import Path

import pytest

from recording import mp3
from recording.folder import Folder
from recording.spec import StreamFormat, encode_formats
from recording.worker import RecordingWorker
from rtp.ring import Kind
from rtp.ring_reader import RingReader
from tests.support import audio
from tests.unit.recording.hearing import SILENT, SOUNDS, A, B, call, finish, level
from tests.unit.recording.rig import PCMA, Phone, Rig, tone

pytestmark = pytest.mark.peer("ffmpeg")


def test_both_parties_are_in_the_file_and_it_is_as_long_as_the_call(rig: Rig) -> None:
    call(rig)
    rig.run(7.3)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 7.3) <= 0.040
    for hz in (A, B):
        assert level(pcm, hz, 0.1, 7.2) > SOUNDS
        assert audio.tone_levels(pcm, hz)[3:-4].min() > SOUNDS, "without a dip"
    closed = rig.closed[0]
    assert closed.failure is None
    assert closed.duration_s == pytest.approx(7.3, abs=0.001)
    assert closed.octets == (rig.folder / "2026/1.mp3").stat().st_size
    assert rig.opened[0].at == pytest.approx(1000.0)
    assert rig.worker.idle


def test_half_a_minute_keeps_the_promised_size(rig: Rig) -> None:
    call(rig)
    rig.run(30.0)
    finish(rig)
    assert rig.closed[0].octets < 100_000


def test_a_party_is_heard_from_its_own_tap_on(rig: Rig) -> None:
    rig.phones.append(Phone(1, tone(A)))
    rig.phones.append(Phone(2, tone(B)))
    rig.tap(1, 0)
    rig.run(2.0)
    rig.tap(2, 1)
    rig.run(2.0)
    rig.close_tap(1)
    rig.run(2.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 6.0) <= 0.040
    assert level(pcm, B, 0.0, 1.97) < SILENT
    assert level(pcm, B, 2.05, 5.9) > SOUNDS
    assert level(pcm, A, 0.1, 3.95) > SOUNDS
    assert level(pcm, A, 4.05, 5.9) < SILENT


@pytest.mark.parametrize("permit", [b"", b"\x80", b"not a permit"])
def test_without_a_valid_permit_nothing_opens(rig: Rig, permit: bytes) -> None:
    rig.phones.append(Phone(1, tone(A)))
    rig.tap(1, 0, permit=permit)
    rig.run(1.0)
    assert rig.worker.idle
    assert not rig.opened
    assert rig.worker.counters()["marks_refused"] == 1
    assert list(rig.folder.rglob("*.mp3*")) == []


def test_a_damaged_mark_is_refused(rig: Rig) -> None:
    rig.producer.mark(Kind.TAP_OPENED, 1, rig.now_ns, b"\xc1")
    rig.run(0.1)
    assert rig.worker.counters()["marks_refused"] == 1


def test_masked_time_is_silence_and_counts(rig: Rig) -> None:
    call(rig)
    rig.run(2.0)
    rig.mark(Kind.MASKED)
    rig.run(2.5)
    rig.mark(Kind.UNMASKED)
    rig.run(2.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 6.5) <= 0.040
    for hz in (A, B):
        assert level(pcm, hz, 0.1, 1.95) > SOUNDS
        assert level(pcm, hz, 2.05, 4.45) < SILENT
        assert level(pcm, hz, 4.55, 6.4) > SOUNDS


def test_a_mask_that_never_ends_lasts_to_the_end(rig: Rig) -> None:
    call(rig)
    rig.run(1.0)
    rig.mark(Kind.MASKED)
    rig.run(3.0)
    pcm = finish(rig)
    assert level(pcm, A, 1.05, 3.95) < SILENT


def test_paused_time_is_left_out(rig: Rig) -> None:
    phones = call(rig)
    rig.run(2.0)
    rig.mark(Kind.PAUSED)
    phones[0].sound = tone(2000.0)
    rig.run(5.0)
    phones[0].sound = tone(A)
    rig.mark(Kind.RESUMED)
    rig.run(2.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 4.0) <= 0.040
    assert level(pcm, 2000.0, 0.0, 4.0) < SILENT
    for hz in (A, B):
        assert level(pcm, hz, 0.1, 1.95) > SOUNDS
        assert level(pcm, hz, 2.05, 3.9) > SOUNDS
    assert rig.closed[0].duration_s == pytest.approx(4.0, abs=0.001)


def test_a_tap_can_close_and_the_call_end_in_a_pause(rig: Rig) -> None:
    call(rig)
    rig.run(2.0)
    rig.mark(Kind.PAUSED)
    rig.run(1.0)
    rig.close_tap(1)
    rig.run(1.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 2.0) <= 0.040


def test_stereo_has_the_caller_on_the_left(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    spec = rig.spec(channels=2)
    rig.phones += [Phone(1, tone(A)), Phone(2, tone(B))]
    rig.tap(1, 0, spec=spec)
    rig.tap(2, 1, spec=spec)
    rig.run(4.0)
    finish(rig)
    left, right = audio.decode_stereo(rig.folder / "2026/1.mp3")
    assert level(left, A, 0.2, 3.8) > SOUNDS
    assert level(right, B, 0.2, 3.8) > SOUNDS
    assert level(left, B, 0.2, 3.8) < -35
    assert level(right, A, 0.2, 3.8) < -35
    assert rig.closed[0].channels == 2


def test_a_wideband_file_takes_narrow_band_parties(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    spec = rig.spec(rate=16000)
    rig.phones.append(Phone(1, tone(A)))
    rig.tap(1, 0, spec=spec)
    rig.run(4.0)
    rig.mark(Kind.STOPPED)
    rig.settle()
    # The codec's delay is 1,105 samples of the file, whatever its rate.
    pcm = audio._ffmpeg(rig.folder / "2026/1.mp3", 16000, channels=1)[1105:]
    assert abs(audio.seconds(pcm, rate=16000) - 4.0) <= 0.040
    assert audio.tone_level(pcm, A, 0.2, 3.8, rate=16000) > SOUNDS


@pytest.mark.parametrize("mixed", [8000, 16000])
def test_the_best_sound_is_that_of_a_file_at_24_khz(tmp_path: Path, mixed: int) -> None:
    rig = Rig(tmp_path)
    spec = rig.spec(rate=24000, mixed=mixed)
    rig.phones += [Phone(1, tone(A)), Phone(2, tone(B))]
    rig.tap(1, 0, spec=spec)
    rig.tap(2, 1, spec=spec)
    rig.run(2.0)
    rig.mark(Kind.MASKED)
    rig.run(1.0)
    rig.mark(Kind.UNMASKED)
    rig.run(1.0)
    pcm = finish(rig)
    assert mp3.scan((rig.folder / "2026/1.mp3").read_bytes()).sample_rate == 24000
    assert abs(audio.seconds(pcm) - 4.0) <= 0.040
    for hz in (A, B):
        assert level(pcm, hz, 0.1, 1.95) > SOUNDS
        assert level(pcm, hz, 2.05, 2.95) < SILENT
        assert level(pcm, hz, 3.05, 3.9) > SOUNDS


def test_an_unknown_sample_rate_fails_that_recording_only(rig: Rig) -> None:
    call(rig)
    rig.tap(9, 0, spec=rig.spec(2, rate=44100))
    rig.run(2.0)
    assert rig.closed[0].recording_id == 2
    assert rig.closed[0].relative_path is None
    assert rig.closed[0].failure
    assert not rig.worker.idle


def test_lost_packets_are_concealed_and_a_hold_is_silence(rig: Rig) -> None:
    phone, other = call(rig)
    other.talking = False
    phone.arrive = lambda number, at_ns: None if number % 40 == 20 else at_ns
    rig.run(4.0)
    phone.talking = False
    rig.run(2.0)
    phone.talking = True
    rig.run(2.0)
    pcm = finish(rig)
    levels = audio.tone_levels(pcm, A)
    assert levels[3 : round(3.9 / audio.HOP_S)].min() > SOUNDS - 3
    assert level(pcm, A, 4.2, 5.9) < SILENT
    assert level(pcm, A, 6.1, 7.9) > SOUNDS
    assert abs(audio.seconds(pcm) - 8.0) <= 0.040


def test_a_slow_sender_stays_aligned(rig: Rig) -> None:
    """A soft phone that sends 49.5 packets a second with timestamps as if it were 50."""
    phone, other = call(rig)
    other.talking = False
    phone.pace = 0.99
    beats = tone(A)
    phone.sound = lambda seconds: beats(seconds) * (seconds / 0.99 % 1.0 < 0.5)
    rig.run(30.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 30.0) <= 0.040
    starts = [start for start, _ in audio.tone_intervals(pcm, A, above=-20.0)]
    assert len(starts) == 30
    # Its first packet ended 5 ms after the tap opened, so its seconds begin at -15 ms.
    errors = [abs(start + 0.015 - round(start)) for start in starts[1:]]
    assert max(errors) <= 0.040


def test_a_new_ssrc_and_a_changed_packet_time_leave_no_hole(rig: Rig) -> None:
    phone, other = call(rig)
    other.talking = False
    rig.run(3.0)
    phone.ssrc, phone.timestamp, phone.sequence = 0x5555, 0xFFFFFF00, 9
    rig.run(3.0)
    phone.ptime_ms = 60
    rig.run(3.0)
    pcm = finish(rig)
    assert audio.tone_levels(pcm, A)[3:-4].min() > SOUNDS - 3
    assert rig.worker.counters()["stream_jumps"] == 1
    assert abs(audio.seconds(pcm) - 9.0) <= 0.040


def test_a_format_change_is_obeyed_from_its_mark_on(rig: Rig) -> None:
    phone = Phone(1, tone(A), law=StreamFormat(payload_type=99, encoding="PCMU", clock_rate=8000))
    rig.phones.append(phone)
    rig.tap(1, 0, formats=(PCMA,))
    rig.run(2.0)
    rig.producer.mark(Kind.FORMAT_CHANGED, 1, rig.now_ns, encode_formats((phone.law,)))
    rig.run(2.0)
    pcm = finish(rig)
    assert level(pcm, A, 0.0, 1.95) < SILENT
    assert level(pcm, A, 2.05, 3.9) > SOUNDS
    assert rig.closed[0].failure, "the first half can't be decoded"


def test_a_codec_that_can_not_be_decoded_is_named(rig: Rig) -> None:
    law = StreamFormat(payload_type=18, encoding="G729", clock_rate=8000)
    rig.phones.append(Phone(1, tone(A), law=law))
    rig.tap(1, 0, formats=(law,))
    rig.run(2.0)
    pcm = finish(rig)
    assert audio.rms_level(pcm) < SILENT
    assert "G729" in (rig.closed[0].failure or "")


def test_telephone_events_are_silence_and_no_fault(rig: Rig) -> None:
    law = StreamFormat(payload_type=101, encoding="telephone-event", clock_rate=8000)
    rig.phones.append(Phone(1, tone(A), law=law))
    rig.tap(1, 0)
    rig.run(2.0)
    assert audio.rms_level(finish(rig)) < SILENT
    assert rig.closed[0].failure is None


def test_a_gap_of_the_ring_is_counted_as_missing(rig: Rig) -> None:
    call(rig)
    rig.run(1.0)
    rig.producer.mark(Kind.GAP, 1, rig.now_ns, (25).to_bytes(4, "little"))
    rig.run(1.0)
    finish(rig)
    assert rig.closed[0].missing_s == pytest.approx(0.5)
    assert rig.closed[0].failure


def test_a_new_tap_of_the_same_leg_ends_the_one_before(rig: Rig) -> None:
    call(rig)
    rig.run(1.0)
    rig.tap(1, 0, epoch=1)
    rig.run(1.0)
    pcm = finish(rig)
    assert level(pcm, A, 0.1, 1.9) > SOUNDS
    assert rig.closed[0].failure is None


def test_a_leg_can_go_on_in_the_next_segment(rig: Rig) -> None:
    call(rig)
    rig.run(2.0)
    rig.mark(Kind.STOPPED)
    rig.run(1.0)
    rig.tap(1, 0, spec=rig.spec(2))
    rig.run(2.0)
    rig.mark(Kind.STOPPED, 2)
    rig.settle()
    assert [each.recording_id for each in rig.closed] == [1, 2]
    assert rig.closed[1].relative_path == "2026/2.mp3"
    assert level(audio.decode(rig.folder / "2026/2.mp3"), A, 0.1, 1.9) > SOUNDS


def test_a_recording_of_nobody_is_silence_of_its_length(rig: Rig) -> None:
    rig.tap(1, 0)
    rig.run(3.0)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 3.0) <= 0.040
    assert audio.rms_level(pcm) == audio.SILENT


def test_a_recording_without_length_leaves_no_file(rig: Rig) -> None:
    rig.tap(1, 0)
    rig.mark(Kind.STOPPED)
    rig.settle()
    assert rig.closed[0].relative_path is None
    assert list(rig.folder.rglob("*.mp3*")) == []


def test_marks_of_a_recording_that_is_over_mean_nothing(rig: Rig) -> None:
    call(rig)
    rig.run(1.0)
    rig.mark(Kind.STOPPED)
    rig.settle()
    rig.tap(2, 1)
    for kind in (Kind.STOPPED, Kind.MASKED, Kind.PAUSED, Kind.RESUMED, Kind.UNMASKED):
        rig.mark(kind)
    rig.close_tap(2)
    rig.run(1.0)
    assert len(rig.closed) == 1
    assert rig.worker.idle


def test_everything_is_finished_when_the_server_goes(rig: Rig) -> None:
    call(rig)
    rig.tap(7, 0, spec=rig.spec(2))
    rig.run(3.0)
    rig.worker.finish_all(rig.now_ns)
    rig.settle()
    assert {each.relative_path for each in rig.closed} == {"2026/1.mp3", "2026/2.mp3"}
    assert abs(audio.seconds(audio.decode(rig.folder / "2026/1.mp3")) - 3.0) <= 0.040


def test_counters_tell_what_happened(rig: Rig) -> None:
    call(rig)
    rig.run(2.0)
    counters = rig.worker.counters()
    assert counters["recordings_open"] == 1
    assert counters["packets"] > 150
    assert counters["samples"] > 30_000
    assert counters["encoder_s"] > 0
    assert counters["lag_s"] < 0.1
    assert counters["packets_stray"] == 0


def test_a_mark_for_another_leg_than_its_own_is_refused(rig: Rig) -> None:
    rig.tap(1, 0)
    rig.run(0.1)
    reader = RingReader(rig.ring)
    first = [*reader.new_entries(), *reader.new_entries()][0]
    data = reader.data(first)
    rig.producer.mark(Kind.TAP_OPENED, 2, rig.now_ns, data)
    rig.run(0.1)
    assert rig.worker.counters()["marks_refused"] == 1


def test_packets_of_a_leg_without_a_tap_are_counted_and_dropped(rig: Rig) -> None:
    rig.phones.append(Phone(3, tone(A)))
    rig.run(0.5)
    rig.tap(1, 0)
    rig.run(0.5)
    assert rig.worker.counters()["packets_stray"] >= 45
    assert audio.rms_level(finish(rig)) == audio.SILENT


def test_a_chunk_may_be_shorter_than_what_a_correction_left(rig: Rig) -> None:
    phone, _ = call(rig)
    phone.pace = 0.99
    for _ in range(12):
        rig.run(1.0)
        rig.mark(Kind.PAUSED)
        rig.mark(Kind.RESUMED)
        rig.run(0.01)
        rig.mark(Kind.PAUSED)
        rig.mark(Kind.RESUMED)
    pcm = finish(rig)
    assert abs(audio.seconds(pcm) - 12.12) <= 0.040
    assert level(pcm, A, 0.1, 12.0) > SOUNDS - 1


def test_legs_of_two_media_workers_are_recorded_side_by_side(tmp_path: Path) -> None:
    one, other = Rig(tmp_path), Rig(tmp_path)
    both = [one.ring, other.ring]
    one.closed.clear()
    one.worker = RecordingWorker(
        both,
        one.state,
        folder=Folder(tmp_path),
        writers=one.pool,
        quality=7,
        on_event=one._on_event,
        encoder_threads=0,
        clock_ns=lambda: one.now_ns,
    )
    for rig, recording_id in ((one, 1), (other, 2)):
        rig.phones.append(Phone(1, tone(A * recording_id)))
        rig.tap(1, 0, spec=rig.spec(recording_id))
    for _ in range(200):
        other.run(0.02, recorder=False)
        one.run(0.02)
    for rig, recording_id in ((one, 1), (other, 2)):
        rig.mark(Kind.STOPPED, recording_id)
    one.settle()
    assert sorted(each.recording_id for each in one.closed) == [1, 2]
    for recording_id in (1, 2):
        pcm = audio.decode(tmp_path / f"2026/{recording_id}.mp3")
        assert abs(audio.seconds(pcm) - 4.0) <= 0.040
        assert level(pcm, A * recording_id, 0.1, 3.9) > SOUNDS
