"""Keys from the signalling process, put to use on a leg."""

from b2bua.media import to_worker
from rtp.io.leg import Leg
from rtp.srtp import Keys, MasterKey, SrtpUnavailableError


def secure(leg: Leg, srtp: to_worker.SrtpKeys | None) -> None:
    """Let the leg take and send SRTP with these keys, or plain RTP for None.

    Raises `SrtpUnavailableError`; the leg is mute then, for no word must go out in the clear.
    """
    keys = None if srtp is None else Keys(ours=_key(srtp.ours), theirs=_key(srtp.theirs))
    try:
        leg.secure(keys)
    except SrtpUnavailableError:
        leg.mute()
        raise


def _key(key: to_worker.MasterKey) -> MasterKey:
    return MasterKey(suite=key.suite, key=key.key, mki=key.mki)
