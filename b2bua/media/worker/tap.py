"""A tap: the only way from a leg into a recorder's ring, and it takes a permit to build one."""

from b2bua.media.to_worker import ChangeFormats, CloseTap, OpenTap
from b2bua.media.worker.rings import Rings
from b2bua.media.worker.voice import Voice
from recording.permit import InvalidPermitError, RecordingPermit, decode
from recording.spec import OUR_VOICE
from rtp.fast_path import Sink
from rtp.io.leg import Leg
from rtp.ring import LONGEST, Kind, RingWriter


class TapRefusedError(Exception):
    """No permit covers this party, or no mark takes it: nothing of it enters the ring."""


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


class Taps:
    """All open taps of a media worker: of what a leg's party says, and of what we say to it."""

    def __init__(self, rings: Rings, voice: Voice) -> None:
        self._rings = rings
        self._voice = voice
        self._theirs: dict[int, Tap] = {}
        "By leg."
        self._ours: dict[int, Tap] = {}

    def obey(self, leg: Leg, message: OpenTap | ChangeFormats | CloseTap, now_ns: int) -> None:
        """Do what the signalling process asks.

        Raises `TapRefusedError` and `UnknownRecorderError`; what was open stays so.
        """
        match message:
            case OpenTap():
                self._open(leg, message, now_ns)
            case ChangeFormats(_, formats):
                self._change_formats(leg, formats, now_ns)
            case CloseTap():
                self.close(leg, now_ns)

    def close(self, leg: Leg, now_ns: int) -> None:
        """Keep what a party says, and what we say to it, out of the ring."""
        self._close_ours(leg, now_ns)
        leg.tap(None)
        tap = self._theirs.pop(leg.leg_id, None)
        if tap is not None:
            tap.close(now_ns)

    def _open(self, leg: Leg, message: OpenTap, now_ns: int) -> None:
        """Open one in the place of the one that is open."""
        ring = self._rings.to(message.recorder)
        try:
            tap = Tap(
                decode(message.permit),
                party_id=message.party_id,
                epoch=message.epoch,
                leg_id=leg.leg_id | OUR_VOICE if message.ours else leg.leg_id,
                ring=ring,
                spec=message.spec,
            )
        except (InvalidPermitError, TapRefusedError) as error:
            raise TapRefusedError(f"no tap on leg {leg.leg_id}: {error}") from error
        if message.ours:
            self._close_ours(leg, now_ns)
            self._ours[leg.leg_id] = tap
            self._voice.tap(leg.leg_id, tap.open(now_ns))
        else:
            self.close(leg, now_ns)
            self._theirs[leg.leg_id] = tap
            leg.tap(tap.open(now_ns))

    def _change_formats(self, leg: Leg, formats: bytes, now_ns: int) -> None:
        tap = self._theirs.get(leg.leg_id)
        if tap is not None:
            tap.change_formats(formats, now_ns)

    def _close_ours(self, leg: Leg, now_ns: int) -> None:
        self._voice.tap(leg.leg_id, None)
        tap = self._ours.pop(leg.leg_id, None)
        if tap is not None:
            tap.close(now_ns)
