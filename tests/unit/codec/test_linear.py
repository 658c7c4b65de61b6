"""G.711 by octets is G.711 by arrays: every code, and every sample."""

import numpy as np
import pytest

from codec import g711
from codec.linear import TABLES, Law

ARRAYS = {
    "PCMA": (g711.decode_alaw, g711.encode_alaw),
    "PCMU": (g711.decode_mulaw, g711.encode_mulaw),
}
LAWS: tuple[Law, ...] = ("PCMA", "PCMU")


@pytest.mark.parametrize("law", LAWS)
def test_every_code_has_the_same_sample(law: Law) -> None:
    codes = np.arange(256, dtype=np.uint8)
    pcm = np.frombuffer(TABLES[law].decode(codes.tobytes()), dtype=np.int16)
    assert np.array_equal(pcm, ARRAYS[law][0](codes))


@pytest.mark.parametrize("law", LAWS)
def test_every_sample_has_the_same_code(law: Law) -> None:
    pcm = np.arange(65536).astype(np.uint16).view(np.int16)
    codes = np.frombuffer(TABLES[law].encode(pcm.tobytes()), dtype=np.uint8)
    assert np.array_equal(codes, ARRAYS[law][1](pcm))
