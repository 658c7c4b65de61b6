"""A tap: the only way from a leg into a recorder's ring, and it takes a permit to build one."""

from recording.permit import RecordingPermit
from rtp.fast_path import Sink
from rtp.ring import LONGEST, Kind, RingWriter


class TapRefusedError(Exception):
    """The permit does not cover this party: nothing of it enters the ring."""


class Tap:
    """One party's packets on their way to one recorder, from `open` to `close`."""

    __slots__ = ("_leg_id", "_ring", "_spec", "permit")

    def __init__(
        self,
        permit: RecordingPermit,
        *,
        party_id: str,
        epoch: int,
        leg_id: int,
        ring: RingWriter,
        spec: bytes,
    ) -> None:
        """Raise `TapRefusedError` unless `permit` is that of `party_id` in `epoch`."""
        if not permit.covers(party_id=party_id, epoch=epoch):
            raise TapRefusedError(
                f"the permit is for party {permit.party_id} in epoch {permit.epoch}, "
                f"not for {party_id} in epoch {epoch}"
            )
        if len(spec) > LONGEST:
            raise TapRefusedError(f"a tap specification of {len(spec)} octets fits no mark")
        self.permit = permit
        self._leg_id = leg_id
        self._ring = ring
        self._spec = spec

    def open(self, now_ns: int) -> Sink:
        """Mark the beginning, and return where packets go from now on."""
        self._ring.mark(Kind.TAP_OPENED, self._leg_id, now_ns, self._spec)
        return self._ring.packet

    def change_formats(self, formats: bytes, now_ns: int) -> None:
        """Mark what the party may send from here on."""
        self._ring.mark(Kind.FORMAT_CHANGED, self._leg_id, now_ns, formats)

    def close(self, now_ns: int) -> None:
        """Mark the end. The caller has taken the sink away before."""
        self._ring.mark(Kind.TAP_CLOSED, self._leg_id, now_ns)
