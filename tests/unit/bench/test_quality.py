"""The chain behind the listening model: what goes in comes out at its place, or is lost."""

from pathlib import Path

import numpy as np
import pytest

from bench import quality
from bench.quality import PIECE, Case, Pcm

PIECES = 2


def heard(case: Case, folder: Path) -> tuple[Pcm, Pcm]:
    parties = quality.said(case, PIECES)
    decoded, _ = quality.record(case, parties, folder)
    return parties, decoded


def likeness(one: Pcm, other: Pcm) -> float:
    length = min(len(one), len(other))
    return float(np.corrcoef(one[:length], other[:length])[0, 1])


def test_in_turns_one_party_speaks_at_a_time() -> None:
    parties = quality.said(Case(), 4)
    assert (parties.any(axis=2).sum(axis=0) == 1).all()
    assert quality.said(Case(both=True), 4).any(axis=2).all()


@pytest.mark.parametrize("channels", [1, 2])
def test_the_file_lies_sample_by_sample_beside_what_was_said(tmp_path: Path, channels: int) -> None:
    case = Case(channels=channels)
    parties, decoded = heard(case, tmp_path)
    judged = list(quality.pairs(case, parties, decoded))
    assert len(judged) == PIECES
    assert min(likeness(*pair) for pair in judged) > 0.98
    if channels == 2:
        assert quality.crosstalk_db(parties, decoded) > 35
    assert not list(tmp_path.rglob("*.mp3"))


def test_silence_in_place_of_lost_packets_is_worse_than_concealment(tmp_path: Path) -> None:
    def worst(case: Case) -> float:
        return min(likeness(*pair) for pair in quality.pairs(case, *heard(case, tmp_path)))

    whole = worst(Case())
    concealed = worst(Case(loss_pct=10.0))
    assert whole > concealed > worst(Case(loss_pct=10.0, concealed=False))


def test_the_material_is_the_committed_speech() -> None:
    assert quality.material(3).shape == (3, PIECE)
    assert quality.material(3).any(axis=1).all()
