"""Own prompts: checked, committed with their audit row, and only then played."""

import asyncio
from pathlib import Path

import pytest

from b2bua.control.administration import ChangeRefusedError
from b2bua.control.messages import InstallPrompt
from b2bua.control.prompt_changes import PromptChanges, Reload, install_offline, parse_name
from b2bua.datadir import DataFolder
from b2bua.errors import DataFolderError, StartError, UsageError
from cdr.errors import InvalidChangeError
from cdr.journal import Journal
from cdr.proofs import Proofs
from cdr.store import prepare
from ivr.prompts import PromptError, PromptId, load
from tests.support.wav import tone_wav

FIRST = tone_wav(800)
SECOND = tone_wav(900)


def request(wav: bytes = FIRST, *, counts_from_ms: int = 600) -> InstallPrompt:
    return InstallPrompt(
        prompt_id="consent",
        language="de",
        wav=wav,
        sentence="Drücken Sie die 1.",
        counts_from_ms=counts_from_ms,
    )


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    prepare(tmp_path / "mitschnitt.db")
    return DataFolder(tmp_path)


async def install(folder: DataFolder, *requests: InstallPrompt, reload: Reload) -> None:
    async with Journal.open(folder.database) as journal:
        changes = PromptChanges(folder, journal, reload)
        async with asyncio.TaskGroup() as group:
            for one in requests:
                group.create_task(changes.install(one, "cli:ada"))


async def test_it_is_committed_before_it_is_read_again(folder: DataFolder) -> None:
    seen: list[str] = []

    def reload() -> None:
        seen.append(load(PromptId.CONSENT, "de", folder.prompts).sha256)

    await install(folder, request(), reload=reload)
    async with Proofs(folder.database) as database:
        (row,) = await database.prompts()
        (entry,) = await database.audit()
    assert (row.id, row.name, row.language, row.version) == ("consent/de/1", "consent", "de", 1)
    assert (row.sentence, row.duration_ms, row.installed_by) == (
        "Drücken Sie die 1.",
        1000,
        "cli:ada",
    )
    assert seen == [row.sha256]
    assert (entry.actor, entry.action, entry.object) == (
        "cli:ada",
        "prompt.install",
        "consent/de/1",
    )
    prompt = load(PromptId.CONSENT, "de", folder.prompts)
    assert (prompt.shipped, prompt.counts_from_ms) == (False, 600)


async def test_two_at_once_are_two_versions(folder: DataFolder) -> None:
    reloads: list[int] = []
    await install(folder, request(), request(SECOND), reload=lambda: reloads.append(1))
    async with Proofs(folder.database) as database:
        rows = await database.prompts()
    assert [row.version for row in rows] == [1, 2]
    assert len(reloads) == 2
    assert load(PromptId.CONSENT, "de", folder.prompts).sha256 == rows[-1].sha256


async def test_what_the_journal_refuses_is_not_played(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise InvalidChangeError("the database is away")

    before = load(PromptId.CONSENT, "de", folder.prompts).sha256
    monkeypatch.setattr(Journal, "execute", refuse)
    reloads: list[int] = []
    with pytest.RaisesGroup(pytest.RaisesExc(ChangeRefusedError, match="away")):
        await install(folder, request(), reload=lambda: reloads.append(1))
    assert not reloads
    assert load(PromptId.CONSENT, "de", folder.prompts).sha256 == before


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (request(b"no WAV"), "WAV"),
        (request(tone_wav(800, rate=16000)), "16000 Hz"),
        (request(tone_wav(800, seconds=30.1)), "longer"),
        (request(counts_from_ms=1001), "1000 ms"),
        (request(counts_from_ms=-1), "1000 ms"),
    ],
)
async def test_what_can_not_be_played_is_refused(
    folder: DataFolder, wrong: InstallPrompt, reason: str
) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(ChangeRefusedError, match=reason)):
        await install(folder, wrong, reload=lambda: None)
    async with Proofs(folder.database) as database:
        assert await database.prompts() == ()
    assert not folder.prompts.exists()


async def test_a_server_that_can_not_read_its_prompts_says_so(folder: DataFolder) -> None:
    def reload() -> None:
        raise StartError("de/no-call is empty")

    with pytest.RaisesGroup(pytest.RaisesExc(ChangeRefusedError, match="goes on.*no-call")):
        await install(folder, request(), reload=reload)


def test_a_folder_that_can_not_be_written_is_named(folder: DataFolder) -> None:
    folder.prompts.write_text("in the way")
    with pytest.raises(ChangeRefusedError, match="prompts"):
        install_offline(folder, request(), "cli:ada")


def test_without_a_database_nothing_is_installed(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="mitschnitt init"):
        install_offline(DataFolder(tmp_path), request(), "cli:ada")
    with pytest.raises(PromptError, match="absent"):
        load(PromptId.CONSENT, "absent", DataFolder(tmp_path).prompts)


def test_names_of_prompts() -> None:
    assert parse_name("en/withdrawn") == ("en", PromptId.WITHDRAWN)
    for name in ("consent", "de/", "fr/consent", "de/consent/1", "../consent", "de/hallo", ""):
        with pytest.raises(UsageError):
            parse_name(name)


def test_a_sentence_is_one_line(folder: DataFolder) -> None:
    wrong = InstallPrompt(
        prompt_id="consent", language="de", wav=FIRST, sentence="a\nb", counts_from_ms=0
    )
    with pytest.raises(UsageError, match="printable"):
        install_offline(folder, wrong, "cli:ada")
