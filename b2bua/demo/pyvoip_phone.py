"""A pyVoIP 1.6.8 phone in a process of its own: commands as lines in, events as JSON lines out.

pyVoIP is GPLv3: nothing imports this module, it is run (`python -m b2bua.demo.pyvoip_phone`) by
whoever wants a phone, and shares no process with the server. Its audio is 8-bit unsigned, 8 kHz.

Commands: `call NUMBER`, `answer`, `deny`, `hangup`, `press KEYS`, `say FILE`, `listen`, `quit`.
Events: ready, incoming, dialing, answered, refused, said, pressed, heard, ended, error.
"""

import argparse
import contextlib
import json
import os
import queue
import secrets
import struct
import sys
import threading
import time
import wave
from pathlib import Path

import pyVoIP.VoIP  # before pyVoIP.SIP: the other way round it fails with a circular import
from pyVoIP import RTP, SIP
from pyVoIP.VoIP import CallState, InvalidStateError, PhoneStatus, VoIPCall, VoIPPhone

DIGITS = "0123456789*#ABCD"
TELEPHONE_EVENT = 101
BETWEEN_KEYS_S = 0.1
PERIOD_S = 0.01
"pyVoIP tells nobody when a state changes: it has to be looked at."
RATE = 8000
SILENCE = b"\x80"
DEREGISTER_TIMEOUT_S = 3
"pyVoIP's own 30 s would keep the process of a phone whose server is gone."

_output = threading.Lock()


def tell(event: str, **fields: str) -> None:
    """Write an event as a line; several threads do."""
    with _output:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()


def _speech(path: str) -> bytes:
    """Return the samples of a WAV file that has pyVoIP's form."""
    with wave.open(path) as file:
        if file.getparams()[:3] != (1, 1, RATE):
            raise ValueError(f"{path} is not mono with 8 bits and {RATE} Hz")
        return bytes(file.readframes(file.getnframes()))


def _encode(client: RTP.RTPClient, payload: bytes) -> bytes:
    """Encode in the negotiated law; pyVoIP itself sends mu-law under PCMA's number."""
    if client.preference == RTP.PayloadType.PCMA:
        return bytes(client.encode_pcma(payload))
    return bytes(client.encode_pcmu(payload))


class Phone(VoIPPhone):  # type: ignore[misc]  # pyVoIP has no types that mypy trusts
    """pyVoIP's phone that can offer A-law as well."""

    law = RTP.PayloadType.PCMU

    def call(self, number: str) -> VoIPCall:
        """Send an INVITE; returns when the server has said 100, 180 or 401."""
        port = self.request_port()
        formats = {port: {int(self.law): self.law, TELEPHONE_EVENT: RTP.PayloadType.EVENT}}
        request, call_id, session = self.sip.invite(number, formats, RTP.TransmitType.SENDRECV)
        self.calls[call_id] = VoIPCall(
            self,
            CallState.DIALING,
            request,
            session,
            self.myIP,
            ms=formats,
            sendmode=self.sendmode,
        )
        return self.calls[call_id]


class Handset:
    """The one call that the phone has, and the audio on both sides of it."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._says = _speech(arguments.says) if arguments.says else b""
        self._heard: Path = arguments.heard
        self._call: VoIPCall | None = None
        self._commands: queue.Queue[str] = queue.Queue(maxsize=100)
        self.phone = Phone(
            arguments.server,
            arguments.server_port,
            arguments.user,
            arguments.password,
            callCallback=self._incoming,
            myIP=arguments.host,
            sipPort=arguments.port,
            rtpPortLow=arguments.rtp_port,
            rtpPortHigh=arguments.rtp_port,
        )
        if arguments.law == "pcma":
            self.phone.law = RTP.PayloadType.PCMA
        # pyVoIP counts from 1 in every process, and its Call-IDs are hashes of the count.
        for counter in ("inviteCounter", "registerCounter", "byeCounter", "callID", "sessID"):
            getattr(self.phone.sip, counter).x = secrets.randbelow(1 << 24) + 1
        self._amend(self.phone.sip, registers=not arguments.no_register)

    def _amend(self, client: SIP.SIPClient, *, registers: bool) -> None:
        """Report refused calls, which pyVoIP passes over, and leave REGISTER out where asked."""
        parse = client.parse_message

        def parse_message(message: SIP.SIPMessage) -> None:
            if message.type != SIP.SIPMessageType.MESSAGE and int(message.status) >= 300:
                tell("refused", status=f"{int(message.status)} {message.status.phrase}")
            parse(message)

        client.parse_message = parse_message
        if not registers:
            # `start` still opens the socket and starts the thread that receives.
            client.register = self._pretend_to_register

    def _pretend_to_register(self) -> bool:
        self.phone._status = PhoneStatus.REGISTERED  # noqa: SLF001 - pyVoIP has no other way
        return True

    def run(self) -> None:
        """Obey commands until `quit`, or until whoever gives them is gone."""
        self.phone.start()
        while self.phone.get_status() == PhoneStatus.REGISTERING:
            time.sleep(PERIOD_S)
        if self.phone.get_status() != PhoneStatus.REGISTERED:
            tell("error", text=f"not registered: {self.phone.get_status()}")
            return
        tell("ready")
        threading.Thread(target=self._read_commands, daemon=True).start()
        while (line := self._commands.get()) != "quit":
            command, _, argument = line.partition(" ")
            try:
                self._obey(command, argument)
            except Exception as error:  # noqa: BLE001 - whatever pyVoIP raises has to be seen
                tell("error", text=f"{line}: {error!r}")
        self.phone.sip.register_timeout = DEREGISTER_TIMEOUT_S
        self.phone.stop()

    def _read_commands(self) -> None:
        for line in sys.stdin:
            self._commands.put(line.strip())
        self._commands.put("quit")

    def _obey(self, command: str, argument: str) -> None:
        match command:
            case "call":
                self._call = self.phone.call(argument)
                tell("dialing")
                threading.Thread(target=self._follow, args=(self._call,), daemon=True).start()
            case "answer" if self._call:
                self._call.answer()
            case "deny" if self._call:
                self._call.deny()
            case "hangup" if self._call:
                # The other party may have been quicker.
                with contextlib.suppress(InvalidStateError):
                    self._call.hangup()
            case "press" if self._call:
                for key in argument:
                    self._send_digit(self._call.RTPClients[0], key)
                    time.sleep(BETWEEN_KEYS_S)
                tell("pressed", keys=argument)
            case "say" if self._call:
                # Speaking takes its time, and a key can be pressed meanwhile.
                audio = _speech(argument)
                threading.Thread(target=self._say, args=(self._call, audio), daemon=True).start()
            case "listen" if self._call and self._call.RTPClients:
                self._keep(self._call)
                tell("heard")
            case _:
                tell("error", text=f"{command}: not known, or no call")

    def _incoming(self, call: VoIPCall) -> None:
        """Follow a call to us; pyVoIP keeps it for as long as this thread of its own lives."""
        self._call = call
        tell("incoming", sender=str(call.request.headers["From"]["number"]))
        self._follow(call)

    def _follow(self, call: VoIPCall) -> None:
        waiting = call.state
        while call.state == waiting:
            time.sleep(PERIOD_S)
        if call.state == CallState.ANSWERED:
            tell("answered")
            call.write_audio(self._says)
            while call.state == CallState.ANSWERED:
                time.sleep(PERIOD_S)
            self._keep(call)
        tell("ended")

    def _say(self, call: VoIPCall, audio: bytes) -> None:
        """Speak, and tell when the last packet of it is gone."""
        call.write_audio(audio)
        buffer = call.RTPClients[0].pmout.buffer
        while call.state == CallState.ANSWERED and buffer.tell() < len(buffer.getvalue()):
            time.sleep(PERIOD_S)
        tell("said")

    def _keep(self, call: VoIPCall) -> None:
        """Write what the phone heard so far, beside and then in place: somebody may be reading."""
        # Where nothing came, pyVoIP has zeros, and in its unsigned samples they are no silence.
        audio = call.RTPClients[0].pmin.buffer.getvalue().replace(b"\0", SILENCE)
        beside = self._heard.with_suffix(".new")
        with wave.open(str(beside), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(1)
            file.setframerate(RATE)
            file.writeframes(audio)
        beside.replace(self._heard)

    def _send_digit(self, client: RTP.RTPClient, digit: str) -> None:
        """Send a digit of 100 ms as pyVoIP never can (:rfc:`4733#section-2.5`)."""
        timestamp = client.outTimestamp
        durations = [160, 320, 480, 640, 800, 800, 800]
        for place, duration in enumerate(durations):
            end = 0x80 if place >= len(durations) - 3 else 0
            marker = 0x80 if place == 0 else 0
            sequence, client.outSequence = client.outSequence, client.outSequence + 1
            header = struct.pack(
                "!BBHII", 0x80, TELEPHONE_EVENT | marker, sequence, timestamp, client.outSSRC
            )
            event = struct.pack("!BBH", DIGITS.index(digit), end | 10, duration)
            client.sout.sendto(header + event, (client.outIP, client.outPort))
            time.sleep(0.02)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--server-port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", default="")
    parser.add_argument("--no-register", action="store_true", help="a trunk's phone")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rtp-port", type=int, required=True)
    parser.add_argument("--law", choices=("pcmu", "pcma"), default="pcmu")
    parser.add_argument("--says", help="spoken at the start of each call")
    parser.add_argument("--heard", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    # The method is bound to the class: this replaces what the fast loop of pyVoIP calls.
    RTP.RTPClient.encode_packet = _encode
    pyVoIP.REGISTER_FAILURE_THRESHOLD = 1
    try:
        Handset(_arguments()).run()
    finally:
        # pyVoIP's timers are not daemons: a regular exit would wait for the next refresh.
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
