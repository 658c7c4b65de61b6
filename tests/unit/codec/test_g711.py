import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from codec.g711 import (
    ALAW_VALUES,
    MULAW_VALUES,
    PCMA_TO_PCMU,
    PCMU_TO_PCMA,
    decode_alaw,
    decode_mulaw,
    encode_alaw,
    encode_mulaw,
)

EVERY_CODE = np.arange(256, dtype=np.uint8)
EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)


def _audioop() -> ModuleType:
    if sys.version_info >= (3, 13):
        pytest.skip("the standard library has no audioop from Python 3.13 on")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop: ModuleType = pytest.importorskip("audioop")
        return audioop


@pytest.mark.parametrize(
    ("code", "value"),
    # G.711 table 1a/1b: character signal, quantized value (13 bits) times 8.
    [(0xD5, 8), (0x55, -8), (0xAA, 32256), (0x2A, -32256), (0x80, 5504), (0xD4, 24)],
)
def test_alaw_values_of_the_standard(code: int, value: int) -> None:
    assert ALAW_VALUES[code] == value


@pytest.mark.parametrize(
    ("code", "value"),
    # G.711 table 2a/2b: character signal, quantized value (14 bits) times 4.
    [(0xFF, 0), (0x7F, 0), (0x80, 32124), (0x00, -32124), (0xFE, 8), (0xF0, 120), (0xEF, 132)],
)
def test_mulaw_values_of_the_standard(code: int, value: int) -> None:
    assert MULAW_VALUES[code] == value


def test_decoding_agrees_with_audioop() -> None:
    audioop = _audioop()
    codes = EVERY_CODE.tobytes()
    assert decode_alaw(EVERY_CODE).tobytes() == audioop.alaw2lin(codes, 2)
    assert decode_mulaw(EVERY_CODE).tobytes() == audioop.ulaw2lin(codes, 2)


def test_encoding_agrees_with_audioop() -> None:
    audioop = _audioop()
    samples = EVERY_SAMPLE.tobytes()
    assert encode_alaw(EVERY_SAMPLE).tobytes() == audioop.lin2alaw(samples, 2)
    assert encode_mulaw(EVERY_SAMPLE).tobytes() == audioop.lin2ulaw(samples, 2)


def test_every_value_encodes_as_itself() -> None:
    assert (encode_alaw(decode_alaw(EVERY_CODE)) == EVERY_CODE).all()
    mulaw = encode_mulaw(decode_mulaw(EVERY_CODE))
    assert (np.delete(mulaw, 0x7F) == np.delete(EVERY_CODE, 0x7F)).all()
    assert mulaw[0x7F] == 0xFF  # minus zero


def test_shapes_are_kept() -> None:
    payloads = np.zeros((3, 160), dtype=np.uint8)
    assert decode_alaw(payloads).shape == (3, 160)
    assert encode_mulaw(decode_mulaw(payloads)).shape == (3, 160)
    assert decode_alaw(payloads).dtype == np.int16


def test_mulaw_by_way_of_alaw_alters_only_the_lowest_values() -> None:
    there_and_back = bytes(range(256)).translate(PCMU_TO_PCMA).translate(PCMA_TO_PCMU)
    altered = [code for code in range(256) if there_and_back[code] != code]
    lowest_even = [number for number in range(16) if number % 2 == 0]
    assert altered == sorted(
        [0x7F - number for number in lowest_even] + [0xFF - number for number in lowest_even]
    )


def test_alaw_by_way_of_mulaw_is_off_by_one_step_at_most() -> None:
    there_and_back = bytes(range(256)).translate(PCMA_TO_PCMU).translate(PCMU_TO_PCMA)
    numbers = np.array([code ^ 0x55 for code in range(256)])
    again = np.array([code ^ 0x55 for code in there_and_back])
    assert np.abs(again - numbers).max() == 1
    # For each sign, eight times two A-law values share one of µ-law.
    assert np.count_nonzero(again != numbers) == 2 * 8


@pytest.mark.parametrize(
    ("table", "source", "target"),
    [(PCMA_TO_PCMU, ALAW_VALUES, MULAW_VALUES), (PCMU_TO_PCMA, MULAW_VALUES, ALAW_VALUES)],
)
def test_the_other_law_says_nearly_the_same(
    table: bytes, source: np.ndarray, target: np.ndarray
) -> None:
    before = source.astype(int)
    after = target[np.frombuffer(table, np.uint8)].astype(int)
    steps = np.maximum(np.abs(before) / 16, 8)  # the coarser law's step, at least 8
    assert (np.abs(after - before) <= steps).all()
    assert ((after > 0) == (before > 0))[before != 0].all()


def test_the_tables_between_the_laws_need_no_numpy() -> None:
    # A media worker imports them and nothing that would make it grow.
    source = Path(__file__).parents[3] / "codec" / "laws.py"
    assert "import numpy" not in source.read_text(encoding="utf-8")
