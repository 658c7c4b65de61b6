"""The prompts: what is said in which language, and the WAV files that say it.

A prompt is a WAV file (8 kHz, mono, 16 bits) beside a small JSON file of the same name,
which states its sentence, its SHA-256 and the set point from which a key counts. The JSON
file names the WAV file, so replacing the JSON file is what switches to another recording:
`ivr/installing.py` does that, and an older one stays where it is. An installed prompt
wins over the shipped one. Shipped ones come from `scripts/make_prompts.py`.
"""

import hashlib
import json
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from ivr.consent_menu import Question
from ivr.sound import SAMPLE_RATE, Sound
from ivr.wav import WavError, read_wav

SHIPPED: Final = Path(__file__).parent / "prompts"
LANGUAGES: Final = ("de", "en")
LONGEST_S: Final = 30
"Of a prompt; nobody listens longer."


class PromptError(Exception):
    """A prompt can't be used; the text names the file and says why."""


class PromptId(StrEnum):
    CONSENT = "consent"
    CONSENT_OTHERWISE = "consent-otherwise"
    "The same, and what happens without a key."
    CONSENT_REFUSED = "consent-refused"
    "Answer to another key."
    CONSENT_TIMED_OUT = "consent-timed-out"
    "Answer to silence."
    CONSENT_ASK = "consent-ask"
    "The question in the middle of a call."
    NOT_AVAILABLE = "not-available"
    NOT_ALLOWED = "not-allowed"
    "Spoken refusal to start or stop a recording."
    RECORDING_ON = "recording-on"
    RECORDING_OFF = "recording-off"
    RECORDING_ASKED = "recording-asked"
    "To the extension: the other party is being asked, or will be."
    NO_CALL = "no-call"
    "To a star code dialled while there is no call to record."
    WITHDRAWN = "withdrawn"
    "To the party that took its consent back."


SENTENCES: Final[dict[tuple[str, PromptId], tuple[str, ...]]] = {
    ("de", PromptId.CONSENT): (
        "Dieses Gespräch wird zur Qualitätssicherung aufgezeichnet.",
        "Wenn Sie mit einer Aufzeichnung einverstanden sind, dann drücken Sie bitte die 1.",
    ),
    ("de", PromptId.CONSENT_OTHERWISE): (
        "Dieses Gespräch wird zur Qualitätssicherung aufgezeichnet.",
        "Wenn Sie mit einer Aufzeichnung einverstanden sind, dann drücken Sie bitte die 1.",
        "Andernfalls wird das Gespräch ohne Aufzeichnung verbunden.",
    ),
    ("de", PromptId.CONSENT_REFUSED): ("In Ordnung. Dieses Gespräch wird nicht aufgezeichnet.",),
    ("de", PromptId.CONSENT_TIMED_OUT): (
        "Sie haben keine Taste gedrückt. Dieses Gespräch wird nicht aufgezeichnet.",
    ),
    ("de", PromptId.CONSENT_ASK): (
        "Darf das Gespräch aus Gründen der Qualitätssicherung aufgezeichnet werden?",
        "Dann drücken Sie bitte die 1.",
    ),
    ("de", PromptId.NOT_AVAILABLE): ("Der gewünschte Teilnehmer ist zurzeit nicht erreichbar.",),
    ("de", PromptId.NOT_ALLOWED): ("Das ist in diesem Gespräch nicht erlaubt.",),
    ("de", PromptId.RECORDING_ON): ("Die Aufzeichnung läuft.",),
    ("de", PromptId.RECORDING_OFF): ("Die Aufzeichnung ist beendet.",),
    ("de", PromptId.RECORDING_ASKED): ("Ihr Gesprächspartner wird gefragt.",),
    ("de", PromptId.NO_CALL): ("Es gibt kein Gespräch, das aufgezeichnet werden kann.",),
    ("de", PromptId.WITHDRAWN): (
        "Ihre Einwilligung ist widerrufen. Die Aufzeichnung ist beendet.",
    ),
    ("en", PromptId.CONSENT): (
        "This call is being recorded for quality assurance.",
        "If you agree to a recording, please press 1.",
    ),
    ("en", PromptId.CONSENT_OTHERWISE): (
        "This call is being recorded for quality assurance.",
        "If you agree to a recording, please press 1.",
        "Otherwise the call will be connected without a recording.",
    ),
    ("en", PromptId.CONSENT_REFUSED): ("All right. This call will not be recorded.",),
    ("en", PromptId.CONSENT_TIMED_OUT): (
        "You have not pressed a key. This call will not be recorded.",
    ),
    ("en", PromptId.CONSENT_ASK): (
        "May this call be recorded for reasons of quality assurance?",
        "If so, please press 1.",
    ),
    ("en", PromptId.NOT_AVAILABLE): ("The person you are calling is not available at present.",),
    ("en", PromptId.NOT_ALLOWED): ("This is not allowed in this call.",),
    ("en", PromptId.RECORDING_ON): ("The recording is running.",),
    ("en", PromptId.RECORDING_OFF): ("The recording has ended.",),
    ("en", PromptId.RECORDING_ASKED): ("The other party is being asked.",),
    ("en", PromptId.NO_CALL): ("There is no call that could be recorded.",),
    ("en", PromptId.WITHDRAWN): ("Your consent is withdrawn. The recording has ended.",),
}
"What the shipped files say, in pieces: of a question, a key counts after the first."

QUESTIONS: Final = frozenset({PromptId.CONSENT, PromptId.CONSENT_OTHERWISE, PromptId.CONSENT_ASK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt, checked and ready to be played."""

    prompt_id: PromptId
    language: str
    sentence: str
    sha256: str
    "Of the WAV file."
    counts_from_ms: int
    sound: Sound
    shipped: bool

    @property
    def name(self) -> str:
        """What a player calls the sound."""
        return sound_name(self.prompt_id, self.language)

    def question(self, accept: str = "1") -> Question:
        """Return what a consent menu has to know."""
        return Question(
            prompt_id=self.prompt_id,
            language=self.language,
            sha256=self.sha256,
            duration_ms=self.sound.duration_ms,
            counts_from_ms=self.counts_from_ms,
            accept=accept,
        )


def sound_name(prompt_id: PromptId, language: str) -> str:
    """Return what a player calls the sound of a prompt."""
    return f"{language}/{prompt_id}"


def load(prompt_id: PromptId, language: str, installed: Path | None = None) -> Prompt:
    """Return a prompt, from the folder of `installed` ones where it is there.

    Raises `PromptError`.
    """
    relative = Path(language) / f"{prompt_id}.json"
    shipped = installed is None or not (installed / relative).exists()
    path = (SHIPPED if installed is None or shipped else installed) / relative
    about = _about(path)
    wav_path = path.with_name(about.file)
    octets = _read(wav_path)
    sha256 = hashlib.sha256(octets).hexdigest()
    if sha256 != about.sha256:
        raise PromptError(f"{wav_path} is not the file that {path.name} describes (SHA-256)")
    pcm = read_pcm(octets, str(wav_path))
    sound = Sound.from_pcm(pcm)
    if not 0 <= about.counts_from_ms <= sound.duration_ms:
        raise PromptError(f"{path}: counts_from_ms lies outside the prompt")
    return Prompt(
        prompt_id=prompt_id,
        language=language,
        sentence=about.sentence,
        sha256=sha256,
        counts_from_ms=about.counts_from_ms,
        sound=sound,
        shipped=shipped,
    )


def load_all(
    languages: Iterable[str] = LANGUAGES, installed: Path | None = None
) -> dict[tuple[PromptId, str], Prompt]:
    """Return all prompts of these languages; raises one `PromptError` that names all faults."""
    prompts, faults = {}, []
    for language in languages:
        for prompt_id in PromptId:
            try:
                prompts[prompt_id, language] = load(prompt_id, language, installed)
            except PromptError as error:
                faults.append(str(error))
    if faults:
        raise PromptError("; ".join(faults))
    return prompts


def read_pcm(octets: bytes, name: str) -> "array[int]":
    """Return the samples of a WAV file that is ready for use; raises `PromptError`."""
    try:
        wav = read_wav(octets)
    except WavError as error:
        raise PromptError(f"{name} is no WAV file: {error}") from None
    if (wav.rate, wav.channels, wav.width) != (SAMPLE_RATE, 1, 2):
        raise PromptError(
            f"{name} has {wav.rate} Hz, {wav.channels} channels and {8 * wav.width} bits, not "
            "8000 Hz mono with 16; use `mitschnitt prompt install`, which converts"
        )
    pcm = array("h", wav.data[: len(wav.data) & ~1])
    if sys.byteorder == "big":
        pcm.byteswap()
    if not pcm or not any(pcm):
        raise PromptError(f"{name} is empty or silent")
    if len(pcm) > LONGEST_S * SAMPLE_RATE:
        raise PromptError(f"{name} is longer than {LONGEST_S} s")
    return pcm


@dataclass(frozen=True, slots=True)
class _About:
    file: str
    sentence: str
    sha256: str
    counts_from_ms: int


def _about(path: Path) -> _About:
    """Return what a prompt's JSON file says."""
    try:
        values = json.loads(_read(path))
    except ValueError as error:
        raise PromptError(f"{path} is no JSON file: {error}") from None
    match values:
        case {
            "file": str() as file,
            "sentence": str() as sentence,
            "sha256": str() as sha256,
            "counts_from_ms": int() as counts_from_ms,
        } if "/" not in file and not isinstance(counts_from_ms, bool):
            return _About(file, sentence, sha256, counts_from_ms)
    raise PromptError(f"{path} lacks file, sentence, sha256 or counts_from_ms")


def describe(*, file: str, sentence: str, sha256: str, counts_from_ms: int) -> bytes:
    """Return the JSON file that belongs to the WAV file `file`."""
    values = {
        "file": file,
        "sentence": sentence,
        "sha256": sha256,
        "counts_from_ms": counts_from_ms,
    }
    return (json.dumps(values, ensure_ascii=False, indent=2) + "\n").encode()


def _read(path: Path) -> bytes:
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise PromptError(f"the prompt file {path} can't be read: {error.strerror}") from None
    if not octets:
        raise PromptError(f"the prompt file {path} is empty")
    return octets
