"""Transactions at work: matching, timers, sending (RFC 3261 section 17, without its tables).

The tables decide (`sip/transaction.py`), this file carries out. A transaction lives in one of two
dictionaries until its machine ends; all timers are in the one heap of the endpoint.
"""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import get_args

from sip.address import Flow, Transport
from sip.build import OutgoingRequest
from sip.large_requests import PATIENCE_S, LargeRequests
from sip.message import ANSWERED, Request, Response
from sip.timers import Timer, TimerHeap, Timers
from sip.transaction import (
    CLIENT_INVITE,
    CLIENT_NON_INVITE,
    SERVER_INVITE,
    SERVER_NON_INVITE,
    Action,
    Input,
    Machine,
    State,
    TimerRule,
    Transaction,
    response_input,
    timer_rules,
)

Report = Callable[["ClientTransaction", Response | None, int, float], None]
"Told of each response with its code; of none with 408 after a timeout, 503 without a way there."

ServerKey = tuple[str, str, str, str, int]
MergeKey = tuple[str, str, int, str]

Count = Callable[[str], None]
"Counts one occurrence of something by name."


class _Running(Transaction):
    """What client and server transactions share."""

    __slots__ = ("flow", "intervals", "kept", "timers")

    def __init__(self, machine: Machine, flow: Flow) -> None:
        super().__init__(machine)
        self.flow = flow
        self.kept = b""
        "What `RESEND` sends."
        self.timers: dict[Input, Timer] = {}
        self.intervals: dict[Input, float] = {}
        "The last interval of a timer that backs off, in seconds."


class ServerTransaction(_Running):
    """A request that we answer."""

    __slots__ = ("id", "key", "merge_key", "request", "usage")

    def __init__(self, machine: Machine, flow: Flow, request: Request, identifier: int) -> None:
        super().__init__(machine, flow)
        self.id = identifier
        self.request = request
        self.key = server_key(request, flow, request.method)
        self.merge_key = merge_key(request)
        self.usage: int | None = None
        "The INVITE usage that the request belongs to."

    @property
    def final(self) -> bool:
        """Whether a final response was sent."""
        return self.state not in (State.TRYING, State.PROCEEDING)


class ClientTransaction(_Running):
    """A request that we sent."""

    __slots__ = ("fallback", "key", "report", "sent")

    def __init__(self, machine: Machine, flow: Flow, sent: OutgoingRequest, report: Report) -> None:
        super().__init__(machine, flow)
        self.sent = sent
        self.report = report
        self.key = (sent.branch, sent.method)
        self.fallback: tuple[OutgoingRequest, Flow] | None = None
        "What to send where nothing can be sent over TCP, which was only tried."

    @property
    def unanswered(self) -> bool:
        """Whether nothing has come at all."""
        return self.state is self.machine.start.state

    @property
    def waiting(self) -> bool:
        """Whether an INVITE has got a provisional response and nothing else."""
        return self.machine is CLIENT_INVITE and self.state is State.PROCEEDING


def server_key(request: Request, flow: Flow, method: str) -> ServerKey:
    """Return what matches a request to its transaction (RFC 3261 section 17.2.3).

    Beyond the RFC the CSeq number is in the key, because pyVoIP uses the branch again for the
    INVITE with its credentials, and the source host, so that a stranger who has seen a branch
    can't act on the transaction. Without a branch the rules of RFC 2543 apply, near enough:
    Call-ID, From-tag, CSeq and the topmost Via.
    """
    head = request.head
    via = head.via
    branch = via.branch or f"{head.call_id} {head.from_tag} {via.text}"
    return branch, via.sent_by, flow.remote.host, method, head.cseq


def merge_key(request: Request) -> MergeKey:
    """Return what finds a request that came by a second path (RFC 3261 section 8.2.2.2)."""
    head = request.head
    return head.call_id, head.from_tag, head.cseq, request.method


class TransactionLayer:
    """All transactions of an endpoint."""

    def __init__(
        self, timers: Timers, heap: TimerHeap, outbox: list[tuple[bytes, Flow]], on_count: Count
    ) -> None:
        self._heap = heap
        self._outbox = outbox
        self._count = on_count
        self._rules: dict[Transport, dict[Action, TimerRule | None]] = {
            transport: _rules_of(timers, reliable=transport != "UDP")
            for transport in get_args(Transport)
        }
        "What starts a timer; None: not over this transport."
        self._ids = count(1)
        self.large = LargeRequests()
        self._server: dict[ServerKey, ServerTransaction] = {}
        self._merge: dict[MergeKey, ServerTransaction] = {}
        self._by_id: dict[int, ServerTransaction] = {}
        self._client: dict[tuple[str, str], ClientTransaction] = {}

    def __len__(self) -> int:
        return len(self._server) + len(self._client)

    # --- server side

    def find(self, request: Request, flow: Flow, method: str) -> ServerTransaction | None:
        """Return the transaction that the request, taken as `method`, belongs to."""
        return self._server.get(server_key(request, flow, method))

    def by_id(self, identifier: int) -> ServerTransaction | None:
        """Return a server transaction by the number that the application knows."""
        return self._by_id.get(identifier)

    def is_merged(self, request: Request) -> bool:
        """Whether the same request is being handled already, under another branch."""
        return merge_key(request) in self._merge

    def open_server(self, request: Request, flow: Flow, now: float) -> ServerTransaction:
        """Start the transaction of a new request."""
        machine = SERVER_INVITE if request.method == "INVITE" else SERVER_NON_INVITE
        transaction = ServerTransaction(machine, flow, request, next(self._ids))
        self._server[transaction.key] = transaction
        self._merge[transaction.merge_key] = transaction
        self._by_id[transaction.id] = transaction
        self._carry_out(transaction, machine.start.actions, now)
        return transaction

    def receive_again(self, transaction: ServerTransaction, now: float) -> None:
        """Take a retransmission of the request."""
        self._count("retransmissions_received")
        self._feed(transaction, Input.RECEIVE_REQUEST, now)

    def receive_ack(self, transaction: ServerTransaction, now: float) -> bool:
        """Take an ACK; true when it is for the transaction user: the ACK of a 2xx."""
        return Action.PASS in self._feed(transaction, Input.RECEIVE_ACK, now)

    def respond(self, transaction: ServerTransaction, code: int, data: bytes, now: float) -> None:
        """Send a response; one that the state does not allow any more is dropped."""
        self._feed(transaction, response_input(code, sent=True), now, data)
        if transaction.final:
            transaction.request = ANSWERED

    # --- client side

    def open_client(
        self, request: OutgoingRequest, flow: Flow, report: Report, now: float
    ) -> ClientTransaction:
        """Send a request and report what comes of it."""
        machine = CLIENT_INVITE if request.method == "INVITE" else CLIENT_NON_INVITE
        transaction = ClientTransaction(machine, flow, request, report)
        self._client[transaction.key] = transaction
        data = bytes(request)
        instead = self.large.instead(request, len(data), flow, now)
        if instead is not None:
            transaction.fallback = request, flow
            transaction.sent, transaction.flow = instead
            data = bytes(transaction.sent)
            lose_patience = partial(self._lose_patience, transaction)
            self._heap.start(now + PATIENCE_S, lose_patience)
        self._carry_out(transaction, machine.start.actions, now, data)
        return transaction

    def receive_response(self, response: Response, now: float) -> bool:
        """Take a response; false when it belongs to no transaction (RFC 3261 section 17.1.3)."""
        head = response.head
        transaction = self._client.get((head.via.branch, head.method))
        if transaction is None:
            return False
        given = response_input(response.code, sent=False)
        self._feed(transaction, given, now, response=response)
        return True

    def give_up(self, transaction: ClientTransaction, now: float) -> None:
        """End an INVITE transaction without a final response (RFC 3261 section 9.1)."""
        self._feed(transaction, Input.GIVE_UP, now)

    def transport_failed(self, flow: Flow, now: float) -> None:
        """Tell every transaction on a flow that nothing can be sent there."""
        hit: list[ServerTransaction | ClientTransaction] = []
        for client in [each for each in self._client.values() if each.flow == flow]:
            if client.fallback is not None and client.unanswered:
                self._fall_back(client, now)
            else:
                hit.append(client)
        hit += [transaction for transaction in self._server.values() if transaction.flow == flow]
        for transaction in hit:
            self._feed(transaction, Input.TRANSPORT_ERROR, now)

    def _lose_patience(self, transaction: ClientTransaction, now: float) -> None:
        """Send datagrams where TCP brings nothing: many a firewall does not even refuse."""
        if transaction.fallback is not None and transaction.unanswered:
            self._fall_back(transaction, now)

    def _fall_back(self, transaction: ClientTransaction, now: float) -> None:
        """Begin a transaction anew, as datagrams (RFC 3261 section 18.1.1).

        With the same branch: a peer that has got something is told nothing new.
        """
        assert transaction.fallback is not None
        self.large.failed(transaction.flow.remote, now)
        self._stop(transaction)
        transaction.sent, transaction.flow = transaction.fallback
        transaction.fallback = None
        transaction.restart()
        actions = transaction.machine.start.actions
        self._carry_out(transaction, actions, now, bytes(transaction.sent))

    def connection_lost(self, flow: Flow, now: float) -> None:
        """End what waits for an answer on a connection that is no more.

        A response could still come over another connection (RFC 3261 section 18.2.2), which no
        phone was seen to do, and the tables let an INVITE in Proceeding wait without a limit.
        """
        self.transport_failed(flow, now)
        waiting = [each for each in self._client.values() if each.flow == flow and each.waiting]
        for transaction in waiting:
            self._feed(transaction, Input.GIVE_UP, now)

    def flows(self) -> set[Flow]:
        """Return the flows of all transactions."""
        return {each.flow for each in (*self._client.values(), *self._server.values())}

    # --- the machine room

    def _feed(
        self,
        transaction: ServerTransaction | ClientTransaction,
        given: Input,
        now: float,
        data: bytes = b"",
        response: Response | None = None,
    ) -> tuple[Action, ...]:
        actions = transaction.feed(given)
        if actions:
            self._carry_out(transaction, actions, now, data, response)
        return actions

    def _carry_out(
        self,
        transaction: ServerTransaction | ClientTransaction,
        actions: tuple[Action, ...],
        now: float,
        data: bytes = b"",
        response: Response | None = None,
    ) -> None:
        # Out of the dictionaries before the user is told: what the user does next may not find
        # a transaction that has ended.
        if transaction.state is State.TERMINATED:
            self._remove(transaction)
        rules = self._rules[transaction.flow.transport]
        for action in actions:
            if action in rules:
                self._start(transaction, rules[action], now)
            elif action is Action.SEND:
                transaction.kept = data
                self._outbox.append((data, transaction.flow))
            elif action is Action.RESEND:
                self._resend(transaction)
            elif action is Action.STOP:
                self._stop(transaction)
            elif isinstance(transaction, ServerTransaction):
                self._serve(action)
            else:
                self._use(transaction, action, response, now)
        if transaction.state is State.TERMINATED:
            # An INVITE's usage has it for as long as the call lasts.
            transaction.kept = b""
            if isinstance(transaction, ClientTransaction):
                # Who was told of it knows it, too: the circle would wait for the garbage collector.
                transaction.report = _tell_nobody

    def _serve(self, action: Action) -> None:
        if action is Action.TIMED_OUT:
            self._count("acks_missing")
        elif action is Action.UNREACHABLE:
            self._count("transport_errors")

    def _use(
        self,
        transaction: ClientTransaction,
        action: Action,
        response: Response | None,
        now: float,
    ) -> None:
        if action is Action.PASS:
            assert response is not None
            transaction.report(transaction, response, response.code, now)
        elif action is Action.ACK:
            assert response is not None
            ack = bytes(transaction.sent.ack(response.headers["To"]))
            self._outbox.append((ack, transaction.flow))
        elif action is Action.TIMED_OUT:
            transaction.report(transaction, None, 408, now)
        elif action is Action.UNREACHABLE:
            self._count("transport_errors")
            transaction.report(transaction, None, 503, now)

    def _resend(self, transaction: ServerTransaction | ClientTransaction) -> None:
        if transaction.kept:
            self._count("retransmissions_sent")
            self._outbox.append((transaction.kept, transaction.flow))

    def _start(
        self, transaction: ServerTransaction | ClientTransaction, rule: TimerRule | None, now: float
    ) -> None:
        if rule is None:
            return
        seconds = _next_interval(transaction, rule) if rule.backoff else rule.seconds
        fire = partial(self._fire, transaction, rule.fires)
        transaction.timers[rule.fires] = self._heap.start(now + seconds, fire)

    def _fire(
        self, transaction: ServerTransaction | ClientTransaction, given: Input, now: float
    ) -> None:
        del transaction.timers[given]
        self._feed(transaction, given, now)

    def _stop(self, transaction: ServerTransaction | ClientTransaction) -> None:
        for timer in transaction.timers.values():
            timer.cancel()
        transaction.timers.clear()

    def _remove(self, transaction: ServerTransaction | ClientTransaction) -> None:
        if isinstance(transaction, ClientTransaction):
            self._client.pop(transaction.key, None)
            return
        self._server.pop(transaction.key, None)
        self._by_id.pop(transaction.id, None)
        if self._merge.get(transaction.merge_key) is transaction:
            del self._merge[transaction.merge_key]


def _tell_nobody(
    _transaction: ClientTransaction, _response: Response | None, _code: int, _now: float
) -> None:
    """Stand in for who was told what came of a request, when it is over."""


def _rules_of(timers: Timers, *, reliable: bool) -> dict[Action, TimerRule | None]:
    rules = timer_rules(timers, reliable=reliable).items()
    return {action: None if rule.unreliable_only and reliable else rule for action, rule in rules}


def _next_interval(transaction: _Running, rule: TimerRule) -> float:
    last = transaction.intervals.get(rule.fires)
    seconds = rule.seconds if last is None else min(2 * last, rule.limit)
    transaction.intervals[rule.fires] = seconds
    return seconds
