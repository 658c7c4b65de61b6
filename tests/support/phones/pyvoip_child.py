"""A pyVoIP 1.6.8 phone in a process of its own: commands as lines in, events as JSON lines out.

Run by `tests.support.phones.pyvoip`. pyVoIP is GPLv3 and patches itself into the warnings
filter, so nothing else shares its process. Its audio is 8-bit unsigned, 8 kHz.

Commands: `call NUMBER`, `answer`, `deny`, `hangup`, `digit D`, `quit`.
Events: registered, incoming, dialing, answered, ended, error.
"""

import argparse
import json
import os
import queue
import random
import struct
import sys
import threading
import time
import wave
from pathlib import Path

import pyVoIP.VoIP  # before pyVoIP.SIP: the other way round it fails with a circular import
from pyVoIP import RTP
from pyVoIP.VoIP import CallState, PhoneStatus, VoIPCall, VoIPPhone

DIGITS = "0123456789*#ABCD"
TELEPHONE_EVENT = 101
PERIOD_S = 0.01
"pyVoIP tells nobody when a state changes: it has to be looked at."

_output = threading.Lock()


def tell(event: str, **fields: str) -> None:
    with _output:
        sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
        sys.stdout.flush()


def _encode(client: RTP.RTPClient, payload: bytes) -> bytes:
    """Encode in the negotiated law; pyVoIP itself sends mu-law under PCMA's number."""
    if client.preference == RTP.PayloadType.PCMA:
        return bytes(client.encode_pcma(payload))
    return bytes(client.encode_pcmu(payload))


class Phone(VoIPPhone):  # type: ignore[misc]  # pyVoIP has no types that mypy trusts
    """pyVoIP's phone that can offer A-law as well."""

    law = RTP.PayloadType.PCMU

    def call(self, number: str) -> VoIPCall:
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
        self._says: bytes = arguments.says.read_bytes()
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
            getattr(self.phone.sip, counter).x = random.randrange(1, 1 << 24)

    def run(self) -> None:
        self.phone.start()
        while self.phone.get_status() == PhoneStatus.REGISTERING:
            time.sleep(PERIOD_S)
        if self.phone.get_status() != PhoneStatus.REGISTERED:
            tell("error", text=f"not registered: {self.phone.get_status()}")
            return
        tell("registered")
        threading.Thread(target=self._read_commands, daemon=True).start()
        while (line := self._commands.get()) != "quit":
            command, _, argument = line.partition(" ")
            try:
                self._obey(command, argument)
            except Exception as error:  # noqa: BLE001 - whatever pyVoIP raises, the test must see it
                tell("error", text=f"{line}: {error!r}")
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
                self._call.hangup()
            case "digit" if self._call:
                self._send_digit(self._call.RTPClients[0], argument)
            case _:
                tell("error", text=f"{command}: not known, or no call")

    def _incoming(self, call: VoIPCall) -> None:
        """Called by pyVoIP in a thread that must live as long as the call."""
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
            self._keep(call.RTPClients[0].pmin.buffer.getvalue())
        tell("ended")

    def _keep(self, audio: bytes) -> None:
        with wave.open(str(self._heard), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(1)
            file.setframerate(8000)
            file.writeframes(audio)

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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--server-port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rtp-port", type=int, required=True)
    parser.add_argument("--law", choices=("pcmu", "pcma"), default="pcmu")
    parser.add_argument("--says", type=Path, required=True)
    parser.add_argument("--heard", type=Path, required=True)
    # The method is bound to the class: this replaces what the fast loop of pyVoIP calls.
    RTP.RTPClient.encode_packet = _encode
    pyVoIP.REGISTER_FAILURE_THRESHOLD = 1
    try:
        Handset(parser.parse_args()).run()
    finally:
        # pyVoIP's timers are not daemons: a regular exit would wait for the next refresh.
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
