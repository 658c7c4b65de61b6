"""The codecs that a media worker makes of each other, as SDP names them."""

from b2bua.settings.media import MediaConfig
from codec.optional import has_g722, has_opus
from sip.payload import Payload

_LAWS = (
    Payload(payload_type=8, encoding="PCMA", clock_rate=8000),
    Payload(payload_type=0, encoding="PCMU", clock_rate=8000),
)
_G722 = Payload(payload_type=9, encoding="G722", clock_rate=8000)
_OPUS = Payload(payload_type=96, encoding="opus", clock_rate=48000, channels=2)


def transcodable(media: MediaConfig) -> tuple[Payload, ...]:
    """Return them in the order in which we offer them; none where that is switched off."""
    if not media.max_transcoded:
        return ()
    wide = [codec for codec, has in ((_G722, has_g722), (_OPUS, has_opus)) if has()]
    return (*_LAWS, *wide)
