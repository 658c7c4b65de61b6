"""Calling the wanted party: every contact of an extension, or a number behind a trunk.

The first 2xx wins, the other branches are cancelled. What the caller hears meanwhile is the
business of whoever rings: see `on_event`.
"""

from collections.abc import Callable

from b2bua.calls.bridge import Side
from b2bua.calls.call_over import all_failed, cancelled, no_answer
from b2bua.calls.conversation import Conversation
from b2bua.calls.inbox import CallEvent
from b2bua.calls.party import Party
from b2bua.routing import ToTrunk
from recording.reasons import ReasonKey
from sip.address import Flow
from sip.events import InviteAnswered, InviteCancelled, InviteFailed, UsageEnded
from sip.message import URI, Address
from sip.registrar import Binding

Targets = list[tuple[URI, Flow]]
"Where an INVITE goes, and over what."


class Ringing:
    """The branches of one call."""

    def __init__(self, conversation: Conversation, targets: Targets) -> None:
        self._c = conversation
        self._targets = targets
        self._failures: list[int] = []

    def begin(self, offer: bytes) -> None:
        """Send the INVITEs."""
        conversation = self._c
        endpoint = conversation.services.endpoint
        host = endpoint.contact.host
        for target, flow in self._targets:
            usage = endpoint.invite(
                target=target,
                flow=flow,
                from_=_shown(conversation.parties[Side.A], conversation.callee, host),
                to=_called(conversation.callee, target, host),
                body=offer,
                now=conversation.now,
            )
            conversation.branches.add(usage)
            conversation.attach(usage)
        conversation.kick()

    async def answered(self, on_event: Callable[[CallEvent], None]) -> InviteAnswered:
        """Return the first answer; raises `CallOver` when there will be none.

        `on_event` gets what is neither an answer nor an end.
        """
        conversation = self._c
        number = conversation.callee.number
        deadline = conversation.now + conversation.services.config.sip.ring_timeout_s
        while True:
            event = await conversation.next_event(deadline)
            match event:
                case None:
                    raise no_answer(ReasonKey.NOT_ANSWERED, number)
                case InviteAnswered() if event.usage in conversation.branches:
                    self._accept(event)
                    return event
                case InviteFailed() if event.usage in conversation.branches:
                    conversation.branches.discard(event.usage)
                    self._failures.append(event.code)
                    if not conversation.branches:
                        raise all_failed(self._failures, number)
                case InviteCancelled() | UsageEnded() if event.usage == conversation.a:
                    raise cancelled()
                case _:
                    on_event(event)

    def _accept(self, answered: InviteAnswered) -> None:
        conversation = self._c
        conversation.b = answered.usage
        conversation.branches.discard(answered.usage)
        allow = answered.response.headers.getlist("Allow")
        conversation.note_allow(Side.B, allow)
        conversation.cancel_branches()
        conversation.record.join(
            conversation.callee, side=Side.B, call_id=conversation.sip_call_id(Side.B)
        )
        conversation.record.answered(conversation.callee)


def to_extension(bindings: tuple[Binding, ...]) -> Targets:
    """Return the contacts of an extension."""
    return [(URI.parse(binding.contact), binding.flow) for binding in bindings]


def to_trunk(destination: ToTrunk, local_flow: Flow) -> Targets:
    """Return the one way to a number outside; `local_flow`: any flow of ours, for our end."""
    trunk = destination.trunk
    return [(trunk.target(destination.number), trunk.flow(local_flow.local))]


def _shown(caller: Party, callee: Party, host: str) -> Address:
    """Return the From that the wanted party sees."""
    number = caller.number
    if callee.trunk is not None:
        number = callee.trunk.settings.caller_id or number
    return Address(name=caller.name, uri=URI(scheme="sip", user=number, host=host))


def _called(callee: Party, target: URI, host: str) -> Address:
    """Return the To: behind a trunk the number there, else the extension's number here."""
    if callee.trunk is not None:
        return Address(uri=target)
    return Address(uri=URI(scheme="sip", user=callee.number, host=host))
