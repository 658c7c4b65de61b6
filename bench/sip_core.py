"""A call's SIP without processes, sockets or clock: `python -m bench.sip_core`.

The telephones of `bench.signalling` call each other through `sip.endpoint.Endpoint`, with the
server's digest and its offers and answers, in virtual time. Only what the endpoint, the digest and
the descriptions take is counted: the CPU of the thread, and the Python and C functions called. So
a change of some microseconds shows, on a busy machine too. Unlike most other benches this one
calls the code it measures.
"""

import argparse
import gc
import statistics
import sys
import time

from b2bua.authentication import ALLOW_IN_CALLS, SUPPORTED
from b2bua.calls.sessions.negotiation import Negotiation
from b2bua.media.leg import LegMessage, MediaLeg
from bench import report
from bench.sip_call import Account, Call
from bench.sip_client import Phone
from bench.sip_text import Address
from sip.address import Flow, HostPort
from sip.digest import Challenger, Ha1, Verified, ha1
from sip.endpoint import Endpoint
from sip.events import (
    Authorized,
    Event,
    InviteAnswered,
    InviteOffered,
    InviteProgressed,
    Refused,
    RequestOffered,
    UsageEnded,
)
from sip.message import URI, Request
from sip.message import Address as NameAddr
from sip.session_timer import SessionPolicy

SERVER = HostPort("127.0.0.1", 5060)
REALM = "bench"
SIDE_BY_SIDE = 20
"Calls that are at the same place at the same time."
RATE = 300.0
"Calls a second of virtual time, which says how many transactions are alive."
ALL_EXPIRED_S = 64.0
MEDIA = HostPort("127.0.0.1", 10_000)
GC_THRESHOLD = (20_000, 20, 50)
"As in `b2bua.server`."


class Ports:
    """Stands for the media workers, which get no message."""

    def to_worker(self, leg: MediaLeg, message: LegMessage) -> None: ...
    def release(self, leg: MediaLeg) -> None: ...
    def admit_transcoding(self, leg: MediaLeg, *, wanted: bool) -> bool:  # noqa: ARG002 - nothing is
        return wanted


class Joined:
    """Both legs of a call."""

    def __init__(self, usage: int) -> None:
        leg = MediaLeg(plane=Ports(), leg_id=0, worker=0, life=0, local=MEDIA)
        self.caller = usage
        self.callee = 0
        self.sides = Negotiation(leg), Negotiation(leg)


class Switchboard:
    """The smallest application that joins telephones: what is left of the server without calls."""

    def __init__(self, accounts: list[Account]) -> None:
        self.now = 1000.0
        self._users = {each.user: ha1(each.user, REALM, each.password) for each in accounts}
        self._challenger = Challenger(REALM, b"secret")
        self._flows: dict[str, Flow] = {}
        self._calls: dict[int, Joined] = {}
        self.endpoint = Endpoint(
            contact=SERVER,
            authorize=self._authorize,
            user_agent="Mitschnitt/bench",
            allow=ALLOW_IN_CALLS,
            supported=SUPPORTED,
            session=SessionPolicy(expires_s=1800, min_se_s=90),
        )

    def _authorize(self, request: Request, flow: Flow, now: float) -> Authorized | Refused:
        host = flow.remote.host
        for value in request.headers.getlist("Authorization"):
            verdict = self._challenger.verify(value, request.method, host, now, self._lookup)
            if isinstance(verdict, Verified):
                return Authorized(verdict.username)
        return Refused(401, "Unauthorized", self._challenger.challenge(host, now))

    def _lookup(self, user: str) -> Ha1 | None:
        return self._users.get(user)

    def take(self, event: Event) -> None:
        match event:
            case InviteOffered():
                self._join(event)
            case InviteProgressed():
                self.endpoint.calls.provisional(self._calls[event.usage].caller, 180, self.now)
            case InviteAnswered():
                call = self._calls[event.usage]
                body = call.sides[0].answer_from(call.sides[1], event.response.body)
                self.endpoint.calls.answer(call.caller, body, self.now)
            case UsageEnded():
                call = self._calls.pop(event.usage)
                other = call.callee if event.usage == call.caller else call.caller
                del self._calls[other]
                self.endpoint.calls.bye(other, self.now)
            case RequestOffered():
                self._flows[str(event.identity)] = event.flow
                contact = event.request.headers["Contact"]
                headers = (("Contact", f"{contact};expires=3600"),)
                self.endpoint.respond(event.transaction, 200, self.now, headers=headers)

    def _join(self, event: InviteOffered) -> None:
        call, user = Joined(event.usage), event.request.uri.user or ""
        flow = self._flows[user]
        call.sides[0].take_offer(event.request.body)
        call.callee = self.endpoint.calls.invite(
            target=URI(scheme="sip", user=user, host=flow.remote.host, port=flow.remote.port),
            flow=flow,
            from_=NameAddr(uri=event.request.from_address.uri),
            to=NameAddr(uri=URI(scheme="sip", user=user, host=SERVER.host)),
            body=call.sides[0].forward_to(call.sides[1]),
            now=self.now,
            caused_by=event.request,
        )
        self._calls[call.caller] = self._calls[call.callee] = call


class Telephone(Phone):
    """A telephone whose messages wait in a list."""

    def __init__(self, host: str, media: Address) -> None:
        super().__init__(host, (SERVER.host, SERVER.port), media)
        self.socket.close()
        self.flow = Flow("UDP", SERVER, HostPort(*self.address))
        self.said: list[bytes] = []

    def _send(self, data: bytes) -> None:
        if data:
            self.said.append(data)


class CpuMeter:
    """The thread's seconds."""

    def __init__(self) -> None:
        self.total = 0.0

    def __enter__(self) -> None:
        self._begin = time.thread_time()

    def __exit__(self, *_: object) -> None:
        self.total += time.thread_time() - self._begin


class CallMeter:
    """Functions called, those written in C included."""

    def __init__(self) -> None:
        self.total = 0.0

    def __enter__(self) -> None:
        sys.setprofile(self._note)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, _frame: object, event: str, _arg: object) -> None:
        if event in {"call", "c_call"}:
            self.total += 1


class Exchange:
    """The switchboard and its telephones; of the former's work alone the meter knows."""

    def __init__(self, meter: CpuMeter | CallMeter) -> None:
        self.accounts = [Account(user=f"{1001 + i}", password=f"pw{i}") for i in range(8)]
        self.switchboard = Switchboard(self.accounts)
        self.callers = Telephone("127.0.0.2", ("127.0.0.2", 4000))
        self.callees = Telephone("127.0.0.3", ("127.0.0.3", 5000))
        self._telephones = {each.flow: each for each in (self.callers, self.callees)}
        self._meter = meter
        for index, account in enumerate(self.accounts):
            (self.callees if index % 2 else self.callers).register(account)
        self.talk()

    def talk(self) -> None:
        """Carry messages until nobody has anything to say."""
        while said := self._said():
            for data, flow in self._heard(said):
                self._telephones[flow].take(data)

    def _said(self) -> list[tuple[bytes, Flow]]:
        said = []
        for telephone in self._telephones.values():
            said += [(data, telephone.flow) for data in telephone.said]
            telephone.said.clear()
        return said

    def _heard(self, said: list[tuple[bytes, Flow]]) -> list[tuple[bytes, Flow]]:
        """Give messages to the endpoint and return what it sends."""
        endpoint, now = self.switchboard.endpoint, self.switchboard.now
        answers = list[tuple[bytes, Flow]]()
        with self._meter:
            for data, flow in said:
                endpoint.receive(data, flow, now)
                self._drain(answers)
        return answers

    def _drain(self, answers: list[tuple[bytes, Flow]]) -> None:
        """Do what `sip.io.shell` does after each batch."""
        board = self.switchboard
        endpoint = board.endpoint
        while True:
            queue, events = endpoint.send_queue(), endpoint.events()
            if not queue and not events:
                break
            answers += queue
            for event in events:
                board.take(event)
        endpoint.next_timeout()

    def pass_time(self, seconds: float) -> None:
        """Let what is due happen."""
        board = self.switchboard
        board.now += seconds
        with self._meter:
            board.endpoint.handle_timeout(board.now)
            self._drain([])

    def call(self, first: int, count: int) -> list[Call]:
        """Carry calls from their first INVITE to the last 200."""
        half = len(self.accounts) // 2
        calls = []
        for number in range(first, first + count):
            caller = self.accounts[2 * (number % half)]
            callee = self.accounts[2 * (number // half % half) + 1]
            calls.append(self.callers.dial(caller, callee.user))
        self.talk()
        for call in calls:
            if call.answered_at:
                self.callers.hang_up(call)
        self.talk()
        return calls


def play(calls: int, meter: CpuMeter | CallMeter) -> float:
    """Carry so many calls, and what is left of them to its end; return the meter's figure of one.

    Registering is not counted.
    """
    exchange = Exchange(meter)
    meter.total = 0.0
    done: list[Call] = []
    for first in range(0, calls, SIDE_BY_SIDE):
        count = min(SIDE_BY_SIDE, calls - first)
        done += exchange.call(first, count)
        exchange.pass_time(count / RATE)
    exchange.pass_time(ALL_EXPIRED_S)
    endpoint = exchange.switchboard.endpoint
    problems = exchange.callers.problems + exchange.callees.problems
    problems += [call.failure or "stays" for call in done if call.failure or not call.ended_at]
    if problems or endpoint.usages or endpoint.transactions or endpoint.counters["failed"]:
        raise RuntimeError(f"calls were left or failed: {problems[:5]}")
    return meter.total / len(done)


def measure(calls: int, rounds: int) -> report.Figures:
    """Round for round with new telephones and a new endpoint."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    play(SIDE_BY_SIDE, CpuMeter())
    functions = play(SIDE_BY_SIDE, CallMeter())
    took = []
    for _ in range(rounds):
        gc.collect()
        took.append(1e6 * play(calls, CpuMeter()))
    return {
        "bench": "sip_core",
        "calls": calls,
        "rounds": rounds,
        "cpu_us_per_call_best": round(min(took), 1),
        "cpu_us_per_call": round(statistics.median(took), 1),
        "functions_per_call": round(functions),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=600, help="of one round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args()
    return report.show(measure(options.calls, options.rounds), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
