"""Everything that is spoken or sounded, in the configured language, ready for the media workers."""

from collections.abc import Iterator
from pathlib import Path

from b2bua.errors import StartError
from b2bua.media.to_worker import LoadSound, PlayPart
from ivr import hold_music, tones
from ivr.consent_menu import Question
from ivr.prompts import Prompt, PromptError, PromptId, load_all
from ivr.sound import Sound
from ivr.tones import CADENCES, Tone


class VoiceBook:
    """Prompts and tones by their names."""

    def __init__(self, language: str, installed: Path, music: Path | None = None) -> None:
        """Load all prompts; raises `StartError` where one can't be played.

        `installed`: folder of the operator's own recordings, which go before the shipped ones.
        `music`: the operator's own piece for held parties.
        """
        try:
            self._music = hold_music.load(music or hold_music.SHIPPED)
        except hold_music.HoldMusicError as error:
            raise StartError(f"[music] file: {error}") from error
        self._language = language
        self._installed = installed
        self._tones = {tone: tones.sound(tone) for tone in Tone}
        self._prompts: dict[PromptId, Prompt] = {}
        self.reload()

    def reload(self) -> None:
        """Read the prompts again; on a `StartError` those from before stay."""
        try:
            loaded = load_all((self._language,), self._installed)
        except PromptError as error:
            raise StartError(f"prompts: {error}") from error
        self._prompts = {prompt_id: prompt for (prompt_id, _), prompt in loaded.items()}

    def messages(self) -> Iterator[LoadSound]:
        """Return what a media worker has to be given before it can play anything."""
        for prompt in self._prompts.values():
            yield _load(prompt.name, prompt.sound)
        for tone, sound in self._tones.items():
            yield _load(tone, sound)
        yield _load(hold_music.NAME, self._music)

    def question(self, prompt_id: PromptId) -> Question:
        """Return the facts of a question that is about to be asked."""
        return self._prompts[prompt_id].question()

    def spoken(self, prompt_id: PromptId) -> PlayPart:
        """Return a prompt as a part of a play."""
        return PlayPart(sound=self._prompts[prompt_id].name)

    def music(self) -> PlayPart:
        """Return what held parties hear, without end."""
        return PlayPart(sound=hold_music.NAME, loop=True)

    def tone(self, tone: Tone) -> PlayPart:
        """Return a tone as a part of a play: the beeps once, all others without end."""
        return PlayPart(sound=tone, loop=CADENCES[tone].loops)


def _load(name: str, sound: Sound) -> LoadSound:
    return LoadSound(name=name, pcma=sound.pcma, pcmu=sound.pcmu)
