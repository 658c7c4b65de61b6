"""REFER inside a conversation: who may transfer whom, and the conversation while one is away.

Only an extension of ours transfers, and only to where it could have called itself; a trunk does
where its settings say so, to where it could have called. We carry the transfer out ourselves, so
whoever is transferred needs to know nothing of REFER.
"""

from collections.abc import Callable
from typing import NoReturn

from b2bua.calls.call_over import CallOver
from b2bua.calls.conversation import Conversation
from b2bua.calls.exchange import Exchange, Meeting, Talkable, Transferable
from b2bua.calls.inbox import (
    Attachable,
    CallEvent,
    LineEnded,
    LineKept,
    LineReturned,
    RecordKeyPressed,
)
from b2bua.calls.party import Party
from b2bua.calls.renegotiation import is_update
from b2bua.calls.sessions.bridge import Side
from b2bua.calls.transfers.line import Line
from b2bua.calls.transfers.loan import Loan, Referral
from b2bua.calls.transfers.still_ringing import Target, Transfer
from b2bua.routing import Destination, NoRoute, OwnCode, Reachable
from recording.controller import Action
from sip.errors import RemoteProtocolError
from sip.events import (
    AckReceived,
    InDialogReceived,
    RefreshDue,
    ReinviteReceived,
    RequestCompleted,
    UsageEnded,
)
from sip.message import Request
from sip.refer import Refer
from sip.replaces import Replaces

FORBIDDEN = 403
HASTY_S = 1.0
"A BYE so soon after a transfer has failed was said before its sender could know."

GONE = 480
PENDING = 491
"The answers to a REFER; none of them ends the dialog at the telephone (:rfc:`5057#section-5.1`)."


class Referring:
    """What is being transferred out of one conversation."""

    def __init__(
        self,
        conversation: Conversation,
        exchange: Exchange,
        call: Talkable,
        *,
        allowed: bool,
        on_lend: Callable[[], None],
    ) -> None:
        """`call`: whose conversation it is; `allowed`: it may be transferred at all.

        `on_lend` is called before a party goes.
        """
        self._c = conversation
        self._exchange = exchange
        self._call = call
        self._allowed = allowed
        self._on_lend = on_lend
        self._lent: Side | None = None
        self._request: Request | None = None
        "The newest REFER that was for a number."
        self._returned_at = -HASTY_S
        self._returned: Side | None = None

    @property
    def under_way(self) -> bool:
        """Whether one party is on loan, and the referrer alone with us."""
        return self._lent is not None

    # --- the wish

    def offered(self, event: InDialogReceived) -> None:
        """Take a REFER; raises `CallOver` where it ends the conversation at once."""
        conversation = self._c
        side = conversation.side_of(event.usage)
        referrer = conversation.parties[side]
        try:
            refer = Refer.parse(event.request)
        except RemoteProtocolError as error:
            conversation.respond(event, error.status)
            return
        if not self._allowed or not self._exchange.accepting:
            conversation.respond(event, FORBIDDEN)
        elif not conversation.stands(side.other):
            conversation.respond(event, GONE)
        elif refer.replaces is not None:
            self._join(event, refer, refer.replaces, side)
        else:
            dialled = refer.target.user or ""
            destination = self._destination(dialled, referrer)
            if destination is None:
                conversation.respond(event, FORBIDDEN)
            elif (referral := self._accept(event, refer)) is not None:
                target = Target(destination=destination, dialled=dialled)
                self._transfer(event, target, side, referral)

    def _destination(self, number: str, referrer: Party) -> Reachable | None:
        """Return where the referrer could have called; None where it could not."""
        plan = self._c.services.plan
        found: Destination
        if referrer.extension is not None:
            found = plan.from_extension(number, referrer.extension)
        elif referrer.trunk is not None and referrer.trunk.settings.may_transfer:
            found = plan.from_trunk(number, referrer.trunk)
        else:
            return None
        return None if isinstance(found, OwnCode | NoRoute) else found

    def _accept(self, event: InDialogReceived, refer: Refer) -> Referral | None:
        services = self._c.services
        subscription = services.endpoint.accept_refer(event.transaction, refer, self._c.now)
        services.kick()
        return Referral(services, subscription) if subscription is not None else None

    # --- to a number

    def _transfer(
        self, event: InDialogReceived, target: Target, side: Side, referral: Referral
    ) -> None:
        """Lend the other party to a call that rings the target."""
        conversation, exchange = self._c, self._exchange
        transfer = Transfer(
            loan=Loan(conversation, side.other, referral),
            referrer=conversation.parties[side],
            target=target,
            request=event.request,
        )
        self._lent, self._request = side.other, event.request
        self._on_lend()
        conversation.lending.lend(side.other, to=lambda line: exchange.transfer(line, transfer))
        self._engage(side)

    # --- to the party of another call

    def _join(self, event: InDialogReceived, refer: Refer, replaces: Replaces, side: Side) -> None:
        """Bring the other party together with the one of another call of the referrer."""
        conversation = self._c
        referrer = conversation.parties[side]
        if referrer.extension is None:
            conversation.respond(event, FORBIDDEN)
            return
        usage = conversation.services.endpoint.calls.replaced(replaces)
        other = self._exchange.call_of(usage) if usage is not None else None
        referral = self._accept(event, refer)
        if referral is None:
            return
        if usage is None or other is None or other is self._call:
            referral.tell(481)
        elif second := other.talks_with(usage, referrer.number):
            self._bring_together(event, other, usage, second, side)
            referral.tell(200)
            self._leave(side)
        elif (target := other.give_up(usage, referrer.number)) is not None:
            self._transfer(event, target, side, referral)
        else:
            referral.tell(481)

    def _bring_together(
        self, event: InDialogReceived, other: Transferable, usage: int, theirs: Party, side: Side
    ) -> None:
        """Let both parties go into one call, of which the older call's is the caller."""
        conversation, exchange, ours = self._c, self._exchange, self._c.parties[side.other]
        older = other.linkedid < conversation.record.linkedid
        linkedid = min(other.linkedid, conversation.record.linkedid)
        meetings: list[Meeting] = []

        def begin(line: Line) -> Attachable:
            second = ours if older else theirs
            meeting = exchange.join(line, second=second, request=event.request, linkedid=linkedid)
            meetings.append(meeting)
            return meeting

        self._on_lend()
        if older:
            other.surrender(usage, to=begin)
            conversation.lending.lend(side.other, to=meetings[0].meet)
        else:
            conversation.lending.lend(side.other, to=begin)
            other.surrender(usage, to=meetings[0].meet)

    # --- meanwhile

    def handle(self, event: CallEvent) -> bool:
        """Take what happens while a party is on loan; true when it has come back.

        Raises `CallOver` when the conversation is over.
        """
        lent = self._lent
        assert lent is not None
        match event:
            case LineReturned():
                self._lent, self._returned = None, lent
                self._returned_at = self._c.now
                self._engage(*Side)
                return True
            case LineKept():
                self._leave(lent.other)
            case LineEnded():
                self._leave(lent)
            case UsageEnded():
                self._leave(lent.other)
            case RecordKeyPressed() if not event.done.done():
                event.done.set_result(Action.REFUSE)
            case _:
                self._answer(event)
        return False

    def left(self, side: Side) -> None:
        """Ring a referrer again who hung up without waiting for what came of its transfer.

        Many telephones say BYE as soon as their REFER was taken. Where the target can't be had at
        once, the other party has come back by then.
        """
        conversation = self._c
        referrer, party, request = conversation.parties[side], self._returned, self._request
        hasty = conversation.now - self._returned_at < HASTY_S and party is side.other
        if not hasty or party is None or request is None or referrer.extension is None:
            return
        if self._exchange.accepting and conversation.stands(party):
            conversation.lending.lend(
                party,
                to=lambda line: self._exchange.recall(line, referrer=referrer, request=request),
            )

    def _answer(self, event: CallEvent) -> None:
        """Answer the referrer, who is alone with us."""
        conversation = self._c
        match event:
            case ReinviteReceived():
                self._answer_alone(event)
            case InDialogReceived() if is_update(event):
                self._answer_alone(event)
            case AckReceived():
                conversation.acknowledged(event)
            case RefreshDue():
                conversation.renegotiation.refresh(event.usage)
            case RequestCompleted():
                conversation.renegotiation.completed(event)
            case InDialogReceived() if event.request.method == "REFER":
                conversation.respond(event, PENDING)
            case _:
                conversation.small_talk(event)

    def _answer_alone(self, event: ReinviteReceived | InDialogReceived) -> None:
        """Answer the referrer ourselves: it holds the line, or refreshes its session."""
        conversation, body = self._c, event.request.body
        side = conversation.side_of(event.usage)
        try:
            if body:
                answer = conversation.media.bridge.answer_alone(side, body)
            else:
                conversation.owed.add(side)
                answer = conversation.media.bridge.offer_to(side)
        except RemoteProtocolError:
            conversation.respond(event, 488, headers=conversation.warning())
        else:
            conversation.respond(event, 200, answer)

    def _engage(self, *sides: Side) -> None:
        parties = [self._c.parties[side] for side in sides]
        self._exchange.engage(self._call, {p.number for p in parties if p.extension is not None})

    def _leave(self, side: Side) -> NoReturn:
        raise CallOver(0, "", "ANSWERED", side=("caller", "callee")[side])
