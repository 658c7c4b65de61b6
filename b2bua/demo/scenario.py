"""The demo's one call, step by step: asked, agreed, recorded, stopped, recorded again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from b2bua.demo import dialogue
from b2bua.demo.dialogue import Line, Speaker, read_speech, write_speech
from b2bua.demo.private_server import HOST, PrivateServer, private_server, settings
from b2bua.demo.report import Report
from b2bua.demo.telephone import Account, Telephone, free_port, telephone
from b2bua.passwords import new_password
from ivr.prompts import SENTENCES, SHIPPED, PromptId

OUTSIDE: Final = "127.0.0.2"
"The address by which the server knows its trunk."

EXTENSION: Final = "101"
DID: Final = "493023125101"
CALLER: Final = "492214710123"
"Both numbers are from the blocks that nobody in Berlin and Cologne will ever have."

YES: Final = "1"
STAR_CODE: Final = "*1"

ANNOUNCEMENT: Final = SHIPPED / "de" / f"{PromptId.CONSENT}.wav"

BREATH_S: Final = 0.3
"Between two lines."
AFTER_BEEP_S: Final = 0.6
"A beep takes the place of what is said under it."
ANSWER_TIMEOUT_S: Final = 5.0
ANNOUNCEMENT_TIMEOUT_S: Final = 15.0
RING_TIMEOUT_S: Final = 8.0
RECORDING_TIMEOUT_S: Final = 5.0
ROW_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Everyone who takes part."""

    server: PrivateServer
    caller: Telephone
    clerk: Telephone
    folder: Path

    def telephone_of(self, speaker: Speaker) -> Telephone:
        return self.caller if speaker is Speaker.CALLER else self.clerk


@contextlib.asynccontextmanager
async def stage(report: Report, folder: Path) -> AsyncIterator[Stage]:
    """Start the server and both telephones; all of them end with the context."""
    outside_port = free_port(OUTSIDE)
    configuration = settings(trunk=f"{OUTSIDE}:{outside_port}", did=DID, extension=EXTENSION)
    report.step(f"a server of its own starts in {folder}")
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(private_server(folder, configuration))
        report.web = str((await server.status()).get("web", ""))
        report.step(f"it is ready at {server.sip}")
        account = Account(user=CALLER, server=server.sip, host=OUTSIDE, port=outside_port)
        caller = await stack.enter_async_context(
            telephone("the caller", account, folder / "caller")
        )
        report.step(f"the caller stands behind the trunk {OUTSIDE}:{outside_port}, unregistered")
        clerk = await stack.enter_async_context(await _clerk(server, folder))
        report.step(f"extension {EXTENSION} is registered: automatic recording, opted in, may stop")
        yield Stage(server, caller, clerk, folder)


async def _clerk(
    server: PrivateServer, folder: Path
) -> contextlib.AbstractAsyncContextManager[Telephone]:
    password = new_password()
    words = ("ext", "add", EXTENSION, "--name", "Jonas Weber", "--password-stdin")
    recording = ("--mode", "automatic", "--opt-in", "--user-may-stop")
    await server.command(*words, *recording, stdin=f"{password}\n")
    account = Account(
        user=EXTENSION, server=server.sip, host=HOST, port=free_port(HOST), password=password
    )
    return telephone(f"extension {EXTENSION}", account, folder / "clerk")


async def play(report: Report, on: Stage) -> None:
    """Make the call, from the dialling to the closed row."""
    await _ask(report, on)
    await _connect(report, on)
    await _speak(report, on, dialogue.FIRST_PART)
    await _toggle(report, on, recordings=0, says="the recording is off")
    await _speak(report, on, dialogue.UNRECORDED)
    await _toggle(report, on, recordings=1, says="it is on again")
    await _speak(report, on, dialogue.SECOND_PART)
    await on.caller.command("hangup", then="ended")
    await on.clerk.event("ended")
    report.step("the caller hangs up")
    report.row = await on.server.closed_call(timeout_s=ROW_TIMEOUT_S)
    report.step("the row of the call is closed")


async def _ask(report: Report, on: Stage) -> None:
    caller, sentence = on.caller, " ".join(SENTENCES["de", PromptId.CONSENT])
    report.step(f"the caller dials {DID}")
    await caller.command(f"call {DID}", then="dialing")
    await caller.event("answered", timeout_s=ANSWER_TIMEOUT_S)
    report.step("the server answers and begins to ask")
    marker = on.folder / "marker.wav"
    write_speech(marker, dialogue.marker())
    await caller.say(marker)
    report.step("the caller has made a tone, which may be in no recording")
    announcement = read_speech(ANNOUNCEMENT)
    begin = await caller.hears_to_the_end(
        announcement, "the announcement", timeout_s=ANNOUNCEMENT_TIMEOUT_S
    )
    report.step(f"the caller has heard, from {begin:.1f} s of the call on: {sentence}")
    await caller.press(YES)
    report.step(f"the caller presses {YES}")


async def _connect(report: Report, on: Stage) -> None:
    await on.clerk.event("incoming", timeout_s=RING_TIMEOUT_S)
    report.step(f"extension {EXTENSION} rings")
    await on.clerk.command("answer", then="answered")
    await on.server.recordings_open(1, timeout_s=RECORDING_TIMEOUT_S)
    report.step(f"extension {EXTENSION} answers, and both are recorded")
    await asyncio.sleep(AFTER_BEEP_S)


async def _speak(report: Report, on: Stage, lines: Sequence[Line]) -> None:
    for line in lines:
        report.step(f"{line.speaker.value}: {line.text}")
        await on.telephone_of(line.speaker).say(line.path)
        await asyncio.sleep(BREATH_S)


async def _toggle(report: Report, on: Stage, *, recordings: int, says: str) -> None:
    await on.clerk.press(STAR_CODE)
    await on.server.recordings_open(recordings, timeout_s=RECORDING_TIMEOUT_S)
    report.step(f"the clerk presses {STAR_CODE}: {says}")
    await asyncio.sleep(AFTER_BEEP_S)
