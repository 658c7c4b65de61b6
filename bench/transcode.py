"""What it costs where two telephones share no codec: `python -m bench.transcode`.

Packets of 20 ms go through `b2bua.media.worker.transcoder` and the relay's slow path, without
sockets. All times are of the processor; those of a call are of both directions. What one packet
takes is what another call's packet may have to wait for it in the media worker.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from b2bua.media.to_worker import Recoding
from b2bua.media.worker.transcoder import Transcoder
from bench import judge, report, speech
from codec.stream_coders import CLOCK_RATES, make_stream_encoder, working_rate
from rtp.fast_path import FastPath
from rtp.header import HEADER
from rtp.outgoing import OutgoingStream
from rtp.relay import Relay

NUMBERS = {"PCMA": 8, "G722": 9, "OPUS": 96}
PTIME_NS = 20_000_000


def packets(source: str, target: str, seconds: int) -> Iterator[bytes]:
    """Yield the packets of a telephone that says the known speech."""
    rate = working_rate(source, target)
    encoder = make_stream_encoder(source, rate)
    said = np.repeat(judge.spoken(0, seconds).astype(np.int16), rate // speech.RATE)
    size = rate // 50
    for number in range(50 * seconds):
        payload = encoder.encode(said[number * size : (number + 1) * size].tobytes())
        timestamp = number * CLOCK_RATES[source] // 50
        yield HEADER.pack(0x80, NUMBERS[source], number & 0xFFFF, timestamp, 7) + payload


def through(source: str, target: str, seconds: int) -> list[float]:
    """Return what each packet of one direction took, in ms."""
    inbox: list[bytes] = []

    def receive(buffer: bytearray) -> int:
        data = inbox.pop()
        buffer[: len(data)] = data
        return len(data)

    relay = Relay(1, receive, FastPath(), lambda: None)
    recoding = Recoding(source, target, NUMBERS[target])
    recoder = Transcoder({NUMBERS[source]: recoding}, {})
    relay.accept({NUMBERS[source]: NUMBERS[target]}, {}, recoder)
    relay.forward_to(OutgoingStream(), lambda _: None)
    handler = relay.handler()
    took: list[float] = []
    now = 1
    for packet in list(packets(source, target, seconds)):
        inbox.append(packet)
        now += PTIME_NS
        before = time.thread_time()
        handler(now)
        took.append(1000 * (time.thread_time() - before))
    return took


def measure(one: str, other: str, seconds: int) -> report.Figures:
    took: list[float] = []
    for source, target in ((one, other), (other, one)):
        took += through(source, target, seconds)
    return {
        "codecs": f"{one} and {other}",
        "ms_per_call_s": round(sum(took) / seconds, 3),
        "packet_ms_p50": round(float(np.percentile(took, 50)), 4),
        "packet_ms_p99": round(float(np.percentile(took, 99)), 4),
        "packet_ms_max": round(max(took), 4),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=20, help="of speech, each way")
    parser.add_argument("--json", action="store_true", help="one JSON line (else a table)")
    options = parser.parse_args()
    rows = [measure(one, other, options.seconds) for one, other in combinations(NUMBERS, 2)]
    if not options.json:
        report.table(rows)
    return report.show({"bench": "transcode", "pairs": rows}, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
