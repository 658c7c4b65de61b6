"""Installing a prompt: the recording is laid ready, the change committed, then it takes over.

In this order, because nobody may be asked something that the audit log doesn't know. As with
extensions, the same code runs inside the server and, where none runs, in a command.
"""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

from b2bua.control.administration import ChangeRefusedError
from b2bua.control.messages import InstallPrompt, PromptReplaced
from b2bua.datadir import DataFolder
from b2bua.errors import DataFolderError, MitschnittError, UsageError
from b2bua.wall_clock import wall_us
from cdr.errors import CdrError
from cdr.journal import Journal
from cdr.own_reading import every_prompt, read
from cdr.records import PromptInstalled
from ivr.prompt_folder import Staged, stage
from ivr.prompts import LANGUAGES, PromptError, PromptId, read_pcm
from ivr.sound import SAMPLES_PER_MS

MAX_SENTENCE = 1000
"Characters; half a minute of talk has half as many."

Reload = Callable[[], None]
"Reads the prompts again; raises `MitschnittError` where one of them can't be played."


def parse_name(name: str) -> tuple[str, PromptId]:
    """Return language and prompt of a name such as `de/consent`; raises `UsageError`."""
    language, _, word = name.partition("/")
    try:
        prompt_id = PromptId(word)
    except ValueError:
        known = ", ".join(PromptId)
        raise UsageError(f"{name!r} is no prompt: de/ or en/ and one of {known}") from None
    if language not in LANGUAGES:
        raise UsageError(f"there is no language {language!r}: {', '.join(LANGUAGES)}")
    return language, prompt_id


class PromptChanges:
    """Turns requests into committed changes, one after the other."""

    def __init__(self, folder: DataFolder, journal: Journal, reload: Reload) -> None:
        self._folder = folder
        self._journal = journal
        self._reload = reload
        self._one_at_a_time = asyncio.Lock()

    async def install(self, request: InstallPrompt, actor: str) -> PromptReplaced:
        """Commit one; raises `ChangeRefusedError` or `UsageError`, and nothing has changed then.

        But for one case, which the error's text names: the change is done, and the server could
        not read its prompts again.
        """
        language, prompt_id = parse_name(f"{request.language}/{request.prompt_id}")
        _check_sentence(request.sentence)
        async with self._one_at_a_time:
            try:
                staged = await asyncio.to_thread(
                    _stage, self._folder.prompts, prompt_id, language, request
                )
                version = await self._commit(prompt_id, language, request, actor)
            except (CdrError, PromptError) as error:
                raise ChangeRefusedError(str(error)) from error
            staged.take_over()
            self._read_again()
        replaced = None if staged.replaced is None else str(staged.replaced)
        return PromptReplaced(version=version, path=str(staged.wav), replaced=replaced)

    async def _commit(
        self, prompt_id: PromptId, language: str, request: InstallPrompt, actor: str
    ) -> int:
        versions = [
            row.version
            for row in await asyncio.to_thread(read, self._folder.database, every_prompt())
            if (row.name, row.language) == (prompt_id, language)
        ]
        version = 1 + max(versions, default=0)
        await self._journal.execute(
            PromptInstalled(
                actor=actor,
                at=wall_us(),
                id=f"{prompt_id}/{language}/{version}",
                name=prompt_id,
                language=language,
                version=version,
                sha256=hashlib.sha256(request.wav).hexdigest(),
                duration_ms=_duration_ms(request.wav),
                sentence=request.sentence,
            )
        )
        return version

    def _read_again(self) -> None:
        try:
            self._reload()
        except MitschnittError as error:
            raise ChangeRefusedError(
                f"the prompt is installed, but the server goes on with those it has: {error}"
            ) from error


def _stage(folder: Path, prompt_id: PromptId, language: str, request: InstallPrompt) -> Staged:
    """Check once more what another process has converted, and lay it ready."""
    duration_ms = _duration_ms(request.wav)
    if not 0 <= request.counts_from_ms <= duration_ms:
        raise PromptError(f"the prompt lasts {duration_ms} ms: keys can't count from there")
    return stage(
        folder,
        prompt_id,
        language,
        request.wav,
        sentence=request.sentence,
        counts_from_ms=request.counts_from_ms,
    )


def _duration_ms(wav: bytes) -> int:
    return len(read_pcm(wav, "the prompt")) // SAMPLES_PER_MS


def _check_sentence(sentence: str) -> None:
    if len(sentence) > MAX_SENTENCE or not sentence.isprintable():
        raise UsageError(f"a sentence has at most {MAX_SENTENCE} printable characters")


def install_offline(folder: DataFolder, request: InstallPrompt, actor: str) -> PromptReplaced:
    """Install without a server; raises what `PromptChanges.install` raises."""

    async def commit() -> PromptReplaced:
        async with Journal.open(folder.database) as journal:
            return await PromptChanges(folder, journal, _nobody_plays).install(request, actor)

    if not folder.database.exists():
        raise DataFolderError(f"{folder.path}: no database here; run `mitschnitt init` first")
    try:
        with folder.locked():
            return asyncio.run(commit())
    except CdrError as error:
        raise DataFolderError(str(error)) from error


def _nobody_plays() -> None:
    """Without a server there are no prompts in memory; the next start reads them."""
