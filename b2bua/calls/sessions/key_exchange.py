"""SRTP with one side of a call: what is offered and answered about keys (:rfc:`4568`).

A `Negotiation` speaks of plain RTP. What comes from its side is read here first, what goes there
is dressed here last. As with media, nothing changes before both have spoken: an answer that is
read, or an answer of ours that is dressed, is *staged*, and `commit` makes it what was agreed.

Our key stays as it is for as long as the suite does, through all renegotiations, so the peer can
go on with its rollover counter. Those who are rung get keys of their own, each: a telephone that
only rang can't listen in. Which of them an answer means, its tag says.
"""

from dataclasses import dataclass, replace

from b2bua.media.to_worker import MasterKey, SrtpKeys
from sip.sdes import OFFERED, Crypto, choose, fresh
from sip.sdp import SessionDescription
from sip.secure_media import (
    SECURE_PROFILES,
    NoUsableKey,
    ReadMedia,
    Srtp,
    SrtpRequired,
    dressed,
    profile_of,
    read_answer,
    read_media,
)

MOST_TAGS = 999
"Of one side; then they begin again. The oldest belong to telephones that rang long ago."


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Keys of both directions, and how the profile is spelt."""

    ours: Crypto
    theirs: Crypto
    profile: str

    @property
    def keys(self) -> SrtpKeys:
        """Return what the media worker is told."""
        return SrtpKeys(ours=_master_key(self.ours), theirs=_master_key(self.theirs))


class KeyExchange:
    """One side. `SdpError`s are the peer's: 488."""

    def __init__(self) -> None:
        self._wanted = Srtp.OFF
        "Of whoever is there now, or is rung."
        self._unkeyed = ""
        "Why that is impossible, where it is."
        self._settled = False
        "Something was agreed on, SRTP or plain RTP."
        self._agreed: Agreement | None = None
        self._staged: Agreement | None = None
        self._offered: dict[int, Crypto] = {}
        "Our lines by tag, of all offers that may still be answered."
        self._last_tag = 0

    def meet(self, wanted: Srtp, unkeyed: str) -> None:
        """Take note of who is there: what is wanted, and why that is impossible where it is."""
        self._wanted = wanted
        self._unkeyed = unkeyed

    def renewed(self) -> "KeyExchange":
        """Return the same agreement with a new key of ours, for another leg.

        A leg begins to count at zero, and no number may be used twice under one key.
        """
        renewed = KeyExchange()
        renewed.meet(self._wanted, self._unkeyed)
        renewed._settled = self._settled
        if self._agreed is not None:
            ours = fresh(self._agreed.ours.tag, self._agreed.ours.suite)
            renewed._agreed = replace(self._agreed, ours=ours)
            renewed._offered[ours.tag] = ours
        return renewed

    # --- what the side says

    def read_offer(self, session: SessionDescription) -> SessionDescription:
        """Return the offer as plain RTP; the answer that it asks for is staged."""
        self._insist()
        media = read_media(session, self._wanted)
        agreed = self._agreed
        # Staying with what is in use needs no new key of ours.
        known = [each for each in media.crypto if agreed and each.suite == agreed.ours.suite]
        theirs = choose(known or media.crypto)
        self._staged = None if theirs is None else self._answer(theirs, media)
        return media.session

    def _answer(self, theirs: Crypto, media: ReadMedia) -> Agreement:
        for known in (self._staged, self._agreed):
            if known is not None and known.ours.suite == theirs.suite:
                ours = replace(known.ours, tag=theirs.tag)
                break
        else:
            ours = fresh(theirs.tag, theirs.suite)
        return Agreement(ours=ours, theirs=theirs, profile=media.profile)

    def read_answer(self, session: SessionDescription) -> SessionDescription:
        """Return the answer as plain RTP; the keys in it are staged."""
        self._insist()
        media = read_answer(session, self._wanted)
        if not media.crypto:
            self._staged = None
            return media.session
        theirs = media.crypto[0]
        ours = self._offered.get(theirs.tag)
        if ours is None or ours.suite != theirs.suite:
            raise NoUsableKey
        self._staged = Agreement(ours=ours, theirs=theirs, profile=media.profile)
        return media.session

    def _insist(self) -> None:
        """Refuse what is required and impossible."""
        if self._unkeyed:
            raise SrtpRequired(self._unkeyed)

    def commit(self) -> SrtpKeys | None:
        """Make what is staged what was agreed; None: plain RTP."""
        self._settled = True
        self._agreed = self._staged
        if self._agreed is None:
            return None
        # Whoever offers it again, tag and key belong together.
        self._offered[self._agreed.ours.tag] = self._agreed.ours
        return self._agreed.keys

    # --- what the side is told

    def dress_answer(self, session: SessionDescription) -> SessionDescription:
        """Return our answer to the offer that was read last."""
        return _with_keys(session, self._staged)

    def dress_agreed(self, session: SessionDescription) -> SessionDescription:
        """Return a description of ours that says again what was agreed on."""
        return _with_keys(session, self._agreed)

    def dress_offer(self, session: SessionDescription) -> SessionDescription:
        """Return our offer: what was agreed on, or what is wanted where nothing was yet.

        In a 2xx it can be made once only: see `variant`.
        """
        if self._settled:
            return self.dress_agreed(session)
        self._insist()
        return self.variant(session, self._wanted, last=True)

    def variant(
        self, session: SessionDescription, wanted: Srtp, *, last: bool
    ) -> SessionDescription:
        """Return our offer with new keys, for one of those who are rung.

        The `last` one has the plain profile with keys where SRTP is optional, so that who can't
        do SRTP need not refuse.
        """
        if wanted is Srtp.OFF:
            return session
        lines = [self._line(suite) for suite in OFFERED]
        profile = profile_of(session)
        if wanted is Srtp.REQUIRED or not last:
            profile = SECURE_PROFILES.get(profile.upper(), profile)
        return dressed(session, profile, lines)

    def _line(self, suite: str) -> Crypto:
        self._last_tag = self._last_tag % MOST_TAGS + 1
        line = self._offered[self._last_tag] = fresh(self._last_tag, suite)
        return line


def _with_keys(session: SessionDescription, agreement: Agreement | None) -> SessionDescription:
    if agreement is None:
        return session
    return dressed(session, agreement.profile, (agreement.ours,))


def _master_key(crypto: Crypto) -> MasterKey:
    return MasterKey(suite=crypto.suite, key=crypto.inline.key, mki=crypto.inline.mki)
