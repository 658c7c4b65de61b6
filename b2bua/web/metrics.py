"""The server's status in Prometheus' text format, through one collector.

Our counters are named by process and thing (`media_packets_received`); here they become
`mitschnitt_media_packets_received_total`, with `_seconds` for our `_s`.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from b2bua.control.messages import Status
from b2bua.media.messages import GAUGES

PREFIX = "mitschnitt"


def render(status: Status) -> str:
    """Return the text for one scrape."""
    registry = CollectorRegistry()
    registry.register(StatusCollector(status))
    return generate_latest(registry).decode()


class StatusCollector(Collector):
    """One snapshot of the server as metrics."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges, then what the processes count."""
        yield from self._gauges()
        for name, value in sorted(self._status.counters.items()):
            full = f"{PREFIX}_{_with_units(name)}"
            text = f"{name.partition('_')[2].replace('_', ' ')} ({name.partition('_')[0]})"
            if name.partition("_")[2] in GAUGES:
                yield GaugeMetricFamily(full, text, value=value)
            else:
                yield CounterMetricFamily(full, text, value=value)

    def _gauges(self) -> Iterator[Metric]:
        status = self._status
        info = GaugeMetricFamily(f"{PREFIX}_info", "The running version.", labels=["version"])
        info.add_metric([status.version], 1)
        yield info
        for name, value, text in (
            ("calls", status.calls, "Calls at this moment."),
            ("recordings", status.recordings, "Recordings that are open or being finished."),
            ("registrations", status.registrations, "Telephones that are registered."),
            ("lamps", status.lamps, "Subscriptions of telephones to what their lamps show."),
            ("journal_healthy", status.journal_healthy, "Whether records can be written."),
            ("accepting", status.accepting, "Whether new calls are taken."),
        ):
            yield GaugeMetricFamily(f"{PREFIX}_{name}", text, value=float(value))
        yield from self._trunks()

    def _trunks(self) -> Iterator[Metric]:
        registered = GaugeMetricFamily(
            f"{PREFIX}_trunk_registered",
            "Whether we are registered with a trunk that wants it.",
            labels=["trunk"],
        )
        for trunk in self._status.trunks:
            if trunk.registration:
                registered.add_metric([trunk.name], float(trunk.registration == "registered"))
        yield registered
        up = GaugeMetricFamily(
            f"{PREFIX}_trunk_up",
            "Whether a trunk that is asked with OPTIONS answers.",
            labels=["trunk"],
        )
        calls = GaugeMetricFamily(
            f"{PREFIX}_trunk_calls", "Calls over a trunk, both directions.", labels=["trunk"]
        )
        for trunk in self._status.trunks:
            calls.add_metric([trunk.name], float(trunk.calls))
            if trunk.watched:
                up.add_metric([trunk.name], float(trunk.watched == "there"))
        yield from (up, calls)


def _with_units(name: str) -> str:
    return name.removesuffix("_s") + "_seconds" if name.endswith("_s") else name
