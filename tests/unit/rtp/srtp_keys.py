"""Master keys for the tests of SRTP."""

from rtp.srtp import MasterKey
from sip.sdes import fresh

CM_80, CM_32, GCM_128 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"


def key(suite: str = CM_80, mki: bytes = b"") -> MasterKey:
    return MasterKey(suite=suite, key=fresh(1, suite).inline.key, mki=mki)
