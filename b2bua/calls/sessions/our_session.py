"""Our end of the session with one side of a call: our address in it, and what we said last.

With each description that we send goes the session id that stands, and a version that grows with
each change (:rfc:`3264#section-8`). What is said of SRTP is a change too, so what was sent is kept
as it was written, and beside it as plain RTP: the next description is made of that.
"""

import secrets
from dataclasses import replace

from sip.address import HostPort
from sip.audio_stream import audio_index
from sip.media_lines import in_place
from sip.offer_answer import readdressed, revised
from sip.sdp import Origin, SessionDescription


class OurSession:
    """Nothing is said at the beginning."""

    def __init__(self, local: HostPort) -> None:
        self.local = local
        "Where we receive, as the peer is told it."
        self.origin = Origin(session_id=secrets.randbits(31), version=0, host=local.host)
        self.standing: SessionDescription | None = None
        "What we sent last, agreed on or not: numbers, order and version go on from it."
        self._sent: SessionDescription | None = None
        "`standing`, as it was written."
        self.offering: SessionDescription | None = None
        "Our newest offer."
        self.agreed: SessionDescription | None = None
        "What we said last of what was agreed on."

    def say(self, plain: SessionDescription, dressed: SessionDescription) -> SessionDescription:
        """Return a description of ours with the version that is due."""
        self._sent = sent = revised(self._sent, dressed)
        self.standing = sent if plain is dressed else replace(plain, origin=sent.origin)
        return sent

    def move_to(self, host: str) -> None:
        """Be at another address, as whoever it is that we speak to is told it.

        What it was told when several were asked, it was told with its own address.
        """
        self.local = HostPort(host, self.local.port)
        self.origin = self.origin._replace(host=host)
        self.standing = self.standing and readdressed(self.standing, host)
        self._sent = self._sent and readdressed(self._sent, host)
        self.offering = self.offering and readdressed(self.offering, host)
        self.agreed = self.agreed and readdressed(self.agreed, host)

    def at_port(self, port: int) -> "OurSession":
        """Return the same session for a leg that has another port."""
        moved = OurSession(HostPort(self.local.host, port))
        moved.origin, moved._sent = self.origin, self._sent
        standing = self.standing
        if standing is not None:
            index = audio_index(standing)
            line = standing.media[index]._replace(port=port)
            media = in_place(standing.media, index, line)
            moved.standing = revised(standing, replace(standing, media=media))
        return moved
