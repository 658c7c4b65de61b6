"""The timeline: a recording is as long as its call, and order and doubles don't matter."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mixer.gaps import Concealer
from mixer.jitter_buffer import RATE, UNWRITTEN, JitterBuffer, Packets
from mixer.resample import Widener

LENGTH = 160
COUNT = 60
"Packets of a stream, 20 ms each."
HOLD_BACK = 2400

Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Fate:
    """What the network does to one packet."""

    late: int
    "Samples."
    copies: int


fates = st.lists(
    st.builds(
        Fate,
        late=st.integers(0, HOLD_BACK - 2 * LENGTH) | st.just(0),
        copies=st.sampled_from((1, 1, 1, 2, 3)),
    ),
    min_size=COUNT - 1,
    max_size=COUNT - 1,
)


def sound(seed: int = 1) -> Samples:
    return np.random.default_rng(seed).integers(-32000, 32000, COUNT * LENGTH).astype(np.int16)


def record(
    pcm: Samples, arrivals: list[tuple[int, int]], first_timestamp: int, batch: int, chunk: int
) -> Samples:
    """Bring packets (arrival, number) through the buffer as a recorder does."""
    buffer = JitterBuffer(1)
    row = buffer.open(origin_ns=0, base=0, floor=0)
    taken: list[Samples] = []
    mixed = 0
    arrivals = sorted(arrivals)
    for first in range(0, len(arrivals), batch):
        part = arrivals[first : first + batch]
        numbers = np.array([number for _, number in part])
        packets = Packets(
            np.full(len(part), row, dtype=np.int64),
            ((first_timestamp + numbers * LENGTH) & 0xFFFFFFFF).astype(np.uint32),
            np.full(len(part), 9, dtype=np.uint32),
            np.array([at for at, _ in part], dtype=np.int64),
            np.full(len(part), LENGTH, dtype=np.int64),
        )
        starts, good, _ = buffer.locate(packets)
        assert good.all()
        buffer.write(packets.rows, starts, pcm.reshape(-1, LENGTH)[numbers])
        while part[0][0] - HOLD_BACK >= mixed + chunk:
            taken.append(buffer.take(row, chunk))
            mixed += chunk
    taken.append(buffer.take(row, len(pcm) - mixed))
    return np.concatenate(taken)


@given(
    fates=fates,
    first_timestamp=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 7),
    chunk=st.integers(40, 3000),
)
def test_reordering_and_duplicates_give_the_same_samples(
    fates: list[Fate], first_timestamp: int, batch: int, chunk: int
) -> None:
    pcm = sound()
    arrivals = [(LENGTH, 0)]
    for number, fate in enumerate(fates, start=1):
        due = (number + 1) * LENGTH
        arrivals += [(due + fate.late + 10 * copy, number) for copy in range(fate.copies)]
    assert np.array_equal(record(pcm, arrivals, first_timestamp, batch, chunk), pcm)


@given(
    lost=st.sets(st.integers(1, COUNT - 1)),
    first_timestamp=st.integers(0, 2**32 - 1),
    chunk=st.integers(40, 3000),
)
def test_the_length_is_that_of_the_call_whatever_is_lost(
    lost: set[int], first_timestamp: int, chunk: int
) -> None:
    pcm = sound()
    arrivals = [((n + 1) * LENGTH, n) for n in range(COUNT) if n not in lost]
    raw = record(pcm, arrivals, first_timestamp, 1, chunk)
    assert len(raw) == len(pcm)
    missing = np.repeat([n in lost for n in range(COUNT)], LENGTH)
    assert np.array_equal(raw == UNWRITTEN, missing)
    assert np.array_equal(raw[~missing], pcm[~missing])


@given(
    holes=st.lists(st.tuples(st.integers(0, 8000), st.integers(1, 1500)), max_size=8),
    cuts=st.lists(st.integers(1, 7999), max_size=6),
    rate=st.sampled_from((RATE, 2 * RATE)),
)
def test_concealment_does_not_depend_on_where_chunks_end(
    holes: list[tuple[int, int]], cuts: list[int], rate: int
) -> None:
    raw = (8000 * np.sin(np.arange(8000) * 0.1)).astype(np.int16)
    for start, count in holes:
        raw[start : start + count] = UNWRITTEN
    borders = [0, *sorted(set(cuts)), len(raw)]
    concealer = Concealer(rate)
    parts = [concealer.conceal(raw[a:b], last=b == len(raw)) for a, b in pairwise(borders)]
    joined = np.concatenate(parts)
    assert len(joined) == len(raw)
    assert not (joined == UNWRITTEN).any()
    whole = Concealer(rate)
    assert np.array_equal(joined, whole.conceal(raw, last=True))
    assert concealer.concealed_samples == whole.concealed_samples
    assert concealer.silent_samples == whole.silent_samples


@given(
    narrow=st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 600)), max_size=4),
    holes=st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 300)), max_size=4),
    cuts=st.lists(st.integers(1, 1999), max_size=6),
)
def test_widening_does_not_depend_on_where_chunks_end(
    narrow: list[tuple[int, int]], holes: list[tuple[int, int]], cuts: list[int]
) -> None:
    even, odd = sound(2)[:2000].copy(), sound(3)[:2000].copy()
    for start, count in narrow:
        odd[start : start + count] = UNWRITTEN
    for start, count in holes:
        even[start : start + count] = odd[start : start + count] = UNWRITTEN
    borders = [0, *sorted(set(cuts)), len(even)]
    widener = Widener()
    parts = [widener.widen(even[a:b], odd[a:b], last=b == 2000) for a, b in pairwise(borders)]
    joined = np.concatenate(parts)
    assert np.array_equal(joined, Widener().widen(even, odd, last=True))
    assert np.array_equal(joined[::2], even)
    assert np.array_equal(joined[1::2][odd != UNWRITTEN], odd[odd != UNWRITTEN])
    assert np.array_equal(joined[1::2] == UNWRITTEN, even == UNWRITTEN)
