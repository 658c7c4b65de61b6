"""The plane's children as it keeps them: what each has, says of itself and has counted."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from b2bua.children import Child
from b2bua.media.from_recorder import FromRecorder, RecorderLoad, RecordingClosed
from b2bua.media.from_worker import FromMediaWorker
from b2bua.media.leg import MediaLeg
from b2bua.media.messages import GAUGES
from b2bua.media.placement import SILENT_S, Candidate, Load

CALM = RecorderLoad(taking=True, level=0)


@dataclass(eq=False, slots=True)
class OpenRecording:
    """A recording on its way: the result comes when the file has its name."""

    recording_id: int
    recorder: int
    worker: int
    relative_path: str
    result: asyncio.Future[RecordingClosed]
    opened_at: float | None = None
    stopping: bool = False


@dataclass(eq=False, slots=True)
class Counted:
    """The counters of one child over all its lives, and its load."""

    load: Load = field(default_factory=Load)
    counters: dict[str, float] = field(default_factory=dict)
    carried: dict[str, float] = field(default_factory=dict)
    "Of its earlier lives."

    def count(self, values: dict[str, float], cpu_s: float) -> None:
        """Take a snapshot."""
        self.counters = values
        self.load.report(cpu_s, asyncio.get_running_loop().time())

    def died(self) -> None:
        """Keep the totals of a life that is over."""
        for name, value in self.counters.items():
            if name not in GAUGES:
                self.carried[name] = self.carried.get(name, 0.0) + value
        self.counters, self.load = {}, Load()


@dataclass(eq=False, slots=True)
class Worker:
    """A media worker."""

    child: Child[FromMediaWorker]
    legs: dict[int, MediaLeg] = field(default_factory=dict)
    transcoded: set[int] = field(default_factory=set)
    "First legs of the calls that may be transcoded."
    asked: int = 0
    "Legs that it was asked for and has not answered about."
    counted: Counted = field(default_factory=Counted)

    def candidate(self) -> Candidate:
        """Return it as it is weighed for the next call."""
        return Candidate(share=self.counted.load.share, count=len(self.legs) + self.asked)


@dataclass(eq=False, slots=True)
class Recorder:
    """A recorder."""

    child: Child[FromRecorder]
    recordings: dict[int, OpenRecording] = field(default_factory=dict)
    pressure: RecorderLoad = CALM
    counted: Counted = field(default_factory=Counted)

    def candidate(self) -> Candidate:
        """Return it as it is weighed for the next recording."""
        return Candidate(
            share=self.counted.load.share,
            count=len(self.recordings),
            level=self.pressure.level,
            taking=self.pressure.taking and self.child.silent_s < SILENT_S,
        )

    def died(self) -> None:
        """Forget what a life that is over said of itself."""
        self.pressure = CALM
        self.counted.died()


def totals(prefix: str, members: Iterable[Worker] | Iterable[Recorder]) -> dict[str, float]:
    """Add up what members of one kind have counted, earlier lives included."""
    total: dict[str, float] = {}
    restarts = 0
    for member in members:
        restarts += max(member.child.starts - 1, 0)
        for source in (member.counted.carried, member.counted.counters):
            for name, value in source.items():
                key = f"{prefix}_{name}"
                total[key] = total.get(key, 0.0) + value
    return {**total, f"{prefix}_restarts": float(restarts)}
