"""Which promises the demo's call has to keep, and what the judge found."""

import asyncio
from itertools import chain
from typing import Final

from b2bua.demo import dialogue, judge
from b2bua.demo.dialogue import Speaker, read_speech
from b2bua.demo.judge import Sound, sound_of
from b2bua.demo.report import Check, Report
from b2bua.demo.scenario import ANNOUNCEMENT, CALLER, EXTENSION, Stage

PARTS: Final = (dialogue.FIRST_PART, dialogue.SECOND_PART)
"What each file has to hold."


async def judge_call(report: Report, on: Stage) -> None:
    """Decode what was recorded, listen to what was heard, and note every check."""
    report.checks += judge.row_checks(report.row, src=CALLER, dst=EXTENSION)
    segments = await on.server.segments()
    paths = [on.server.recordings / str(row["relative_path"]) for row in segments]
    count = f"there are {len(paths)}"
    report.checks.append(Check("the call has two files", len(paths) == len(PARTS), count))
    announcement = Sound("announcement", read_speech(ANNOUNCEMENT))
    for number, (path, said) in enumerate(zip(paths, PARTS, strict=False), 1):
        pcm = judge.decode(path)
        report.files.append(judge.describe(path, pcm))
        other = [sound_of(line) for line in dialogue.ALL if line not in said]
        never = (judge.MARKER, announcement, *other)
        report.checks += judge.segment_checks(number, pcm, said=said, never=never)
        await asyncio.sleep(0)  # where the demo's time may be up
    report.checks.append(judge.size_check(report.files))
    for who, partner in ((Speaker.CALLER, Speaker.CLERK), (Speaker.CLERK, Speaker.CALLER)):
        lines = [sound_of(line) for line in dialogue.ALL if line.speaker is partner]
        expected = chain([announcement] if who is Speaker.CALLER else [], lines)
        heard = on.telephone_of(who).heard_in_all()
        report.checks += judge.heard_checks(f"the {who.value}", heard, expected)
        await asyncio.sleep(0)
    report.step("the judge has listened to everything")
