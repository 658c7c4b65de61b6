"""Keys from one party of a call to the other, whichever ways the two know.

Telephone events pass as packets where both know them, and nobody here notices. All else is done
here: keys that came as INFO or as tones become telephone events, INFO or tones again, as the
other party takes them. Where neither events nor INFO reach it, it gets tones in its sound.
"""

from collections import defaultdict
from collections.abc import Collection

from b2bua.calls.conversation import Conversation
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.sessions.key_ways import KeyWays
from b2bua.media.from_worker import KeysDue
from b2bua.media.to_worker import LawName
from sip.events import RequestCompleted
from sip.info import DTMF_RELAY, dtmf_relay

MAX_WAITING = 64
"Keys that wait to be sent as INFO; more are dropped."

_NUMBERS: dict[LawName, int] = {"PCMA": 8, "PCMU": 0}


class KeyRelay:
    """Both directions of one conversation."""

    def __init__(
        self, conversation: Conversation, codes: tuple[str, ...], asked: Collection[Side] = ()
    ) -> None:
        """`codes`: star codes of our own parties. `asked`: sides that were asked already."""
        self._c = conversation
        self._codes = codes
        self._asked = set(asked)
        "The rest of the packets of their answer is nobody else's business."
        self._asking: Side | None = None
        self._listening: dict[Side, object] = {}
        self._waiting: defaultdict[Side, list[str]] = defaultdict(list)
        "Keys to be sent as INFO, one after the other."
        self._requests: dict[int, Side] = {}
        self._no_info: set[Side] = set()
        "Sides that have refused a key as INFO, whatever they said before."

    # --- listening

    def listen(self, *, anew: Collection[Side] = ()) -> None:
        """Have the media worker listen to what is needed of both; `anew`: whatever it does now."""
        if self._c.recording.fax:
            return  # tones are what a fax says, and nobody's keys
        ways = [self._c.key_ways(side) for side in Side]
        for side in Side:
            if side is not self._asking and side not in self._c.lent:
                self._listen(side, ways[side], ways[side.other], anew=side in anew)

    def follow(self, asking: Side | None) -> None:
        """Leave a side alone while it is asked, and listen to it again when it has answered."""
        before, self._asking = self._asking, asking
        if before is not None and asking is not before:
            self._asked.add(before)
            self.listen(anew=(before,))

    def _listen(self, side: Side, own: KeyWays, other: KeyWays, *, anew: bool) -> None:
        dtmf = self._c.services.config.dtmf
        codes = self._codes if self._c.parties[side].extension is not None else ()
        by_packets = other.sends_events is not None and not codes and side not in self._asked
        types = () if by_packets else own.event_types
        for_codes = bool(codes) and dtmf.in_band_codes
        tones = own.tone_types if for_codes or not other.tones_count else {}
        wanted = (types, codes, tuple(tones.items()))
        if anew or wanted != self._listening.get(side, ((), (), ())):
            self._listening[side] = wanted
            self._c.media.legs[side].collect_digits(
                types, codes=codes, forward=True, in_band=tones, in_band_codes=dtmf.in_band_codes
            )

    # --- passing on

    def info(self, side: Side, key: str) -> bool:
        """Take a key that came as INFO; false where the side's INFO is switched off."""
        reads = self._c.key_ways(side).reads_info
        if reads and side not in self._c.lent:
            self._c.media.legs[side].press_keys(key)
        return reads

    def pass_on(self, event: KeysDue) -> None:
        """Let the other party have keys of one that did not reach it by themselves."""
        target = self._c.media.side_of(event.leg_id).other
        ways = self._c.key_ways(target)
        if target in self._c.lent or self._c.recording.fax or (event.in_band and ways.tones_count):
            return
        if ways.sends_events is not None:
            self._c.media.legs[target].send_digits(event.keys, ways.sends_events)
        elif ways.info and target not in self._no_info:
            waiting = self._waiting[target]
            waiting.extend(event.keys[: MAX_WAITING - len(waiting)])
            self._send_info(target)
        elif not event.in_band:
            self._send_tones(target, event.keys)

    def completed(self, event: RequestCompleted) -> bool:
        """Take the answer to an INFO of ours; false where it is about something else."""
        side = self._requests.pop(event.request_id, None)
        if side is None:
            return False
        waiting = self._waiting[side]
        if event.code < 300:
            del waiting[0]
            self._send_info(side)
        else:
            self._no_info.add(side)
            keys = "".join(waiting)
            waiting.clear()
            self._send_tones(side, keys)
        return True

    def _send_info(self, side: Side) -> None:
        usage, waiting = self._c.usage(side), self._waiting[side]
        if not waiting or usage is None or side in self._requests.values():
            return
        request = self._c.services.endpoint.calls.request(
            usage, "INFO", self._c.now, body=dtmf_relay(waiting[0]), content_type=DTMF_RELAY
        )
        self._requests[request] = side
        self._c.kick()

    def _send_tones(self, side: Side, keys: str) -> None:
        law = self._c.key_ways(side).law
        if law is not None and keys:
            self._c.media.legs[side].send_digits(keys, _NUMBERS[law], law)
