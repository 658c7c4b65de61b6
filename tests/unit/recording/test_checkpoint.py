import pytest

from recording.checkpoint import (
    Checkpoint,
    CheckpointError,
    CheckpointStore,
    Progress,
    RecordingState,
    TrackState,
)
from recording.spec import RecordingSpec, StreamFormat


def checkpoint(number: int) -> Checkpoint:
    spec = RecordingSpec(
        recording_id=number, relative_path="a/b.mp3", started_at=1.0, started_mono=2.0
    )
    track = TrackState(
        leg_id=4,
        side=1,
        permit=b"permit",
        formats=(StreamFormat(8, "PCMA", 8000),),
        floor=0,
        until=None,
        offset=-5,
        newest=2**33,
        ssrc=2**32 - 1,
    )
    state = RecordingState(
        spec=spec,
        ring=0,
        origin_ns=10**15,
        place=8000,
        tracks=(track,),
        masks=((1, 2),),
        masked_since=7,
        paused_ns=None,
        missing_samples=0,
        lost_packets=0,
    )
    return Checkpoint(
        positions=(number, 2**40),
        recordings=(state,),
        progress={number: Progress(path="a/b.mp3", octets=216, frames=1)},
    )


def test_fresh_memory_holds_none() -> None:
    assert CheckpointStore(memoryview(bytearray(4096))).load() is None


def test_the_newest_is_found_again() -> None:
    memory = memoryview(bytearray(4096))
    store = CheckpointStore(memory)
    for number in range(1, 6):
        store.save(checkpoint(number))
        assert CheckpointStore(memory).load() == checkpoint(number)
    CheckpointStore(memory).save(checkpoint(9))
    assert CheckpointStore(memory).load() == checkpoint(9)


@pytest.mark.parametrize("damaged", range(0, 140, 7))
def test_one_that_was_cut_off_leaves_the_older_one(damaged: int) -> None:
    memory = memoryview(bytearray(4096))
    store = CheckpointStore(memory)
    store.save(checkpoint(1))
    store.save(checkpoint(2))
    before = bytes(memory)
    store.save(checkpoint(3))
    slot = next(i for i in (0, 2048) if bytes(memory[i : i + 2048]) != before[i : i + 2048])
    memory[slot + damaged] ^= 0xFF
    assert CheckpointStore(memory).load() == checkpoint(2)


def test_one_that_does_not_fit_is_refused_and_harms_nothing() -> None:
    memory = memoryview(bytearray(400))
    store = CheckpointStore(memory)
    store.save(Checkpoint(positions=(1,), recordings=(), progress={}))
    big = checkpoint(2)
    with pytest.raises(CheckpointError):
        store.save(Checkpoint(positions=(2,), recordings=big.recordings * 9, progress={}))
    loaded = CheckpointStore(memory).load()
    assert loaded is not None
    assert loaded.positions == (1,)
