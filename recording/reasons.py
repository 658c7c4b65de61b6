"""The one sentence that says why a call was recorded or was not.

A reason is a stable key with parameters: it is stored so, counted so and tested so. The
sentence is made when a human reads it, in the reader's language. Parameters are numbers of
parties, seconds and causes; never digits that someone pressed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Language = Literal["de", "en"]


_DECIMAL = re.compile(r"[0-9]+\.[0-9]+")


class ReasonKey(StrEnum):
    """Every reason there is. A key that was stored once keeps its meaning."""

    # recorded
    RECORDED = "recorded"
    RECORDED_LEGAL_DUTY = "recorded_legal_duty"
    RECOVERED = "recovered"
    TOO_SHORT = "too_short"
    # withdrawn
    WITHDRAWN = "withdrawn"
    # not_connected
    NOT_ANSWERED = "not_answered"
    BUSY = "busy"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    UNREACHABLE = "unreachable"
    NOT_CONNECTED = "not_connected"
    FORWARDED_IN_CIRCLE = "forwarded_in_circle"
    NO_SRTP = "no_srtp"
    # refused
    REFUSED_BY_KEY = "refused_by_key"
    REFUSED_BY_SILENCE = "refused_by_silence"
    REFUSED_BY_LEAVING = "refused_by_leaving"
    # blocked
    EMERGENCY = "emergency"
    FAX = "fax"
    NEVER = "never"
    NO_OPT_IN = "no_opt_in"
    NO_KEY = "no_key"
    # not_wanted
    MODE_OFF = "mode_off"
    OTHER_DIRECTION = "other_direction"
    NOT_STARTED = "not_started"
    NOBODY_ASKED = "nobody_asked"
    NO_OWN_PARTY = "no_own_party"
    # failed
    DISK = "disk"
    ENCODER = "encoder"
    RECORDER_DIED = "recorder_died"
    RECORDER_BUSY = "recorder_busy"
    MEDIA_WORKER_DIED = "media_worker_died"
    SERVER_DIED = "server_died"
    NO_EVIDENCE = "no_evidence"
    NO_AUDIO = "no_audio"
    AUDIO_MISSING = "audio_missing"
    UNKNOWN_CODEC = "unknown_codec"
    CODEC_NOT_INSTALLED = "codec_not_installed"
    INTERNAL_ERROR = "internal_error"


class UnknownReasonError(Exception):
    """What is stored is no reason of ours."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, as a key and what belongs into the sentence."""

    key: ReasonKey
    parameters: tuple[tuple[str, str], ...] = ()

    def encode(self) -> str:
        """Return the parameters for a column beside the key (JSON object)."""
        return json.dumps(dict(self.parameters), ensure_ascii=False, sort_keys=True)


def because(key: ReasonKey, **parameters: str | float) -> Reason:
    """Make a reason; figures are rounded to a tenth, parameters sorted by name."""
    return Reason(key, tuple((name, _text(value)) for name, value in sorted(parameters.items())))


def decode(key: str, parameters: str) -> Reason:
    """Return the reason that was stored, or raise `UnknownReasonError`."""
    try:
        values = json.loads(parameters or "{}")
        known = ReasonKey(key)
    except ValueError as error:
        raise UnknownReasonError(str(error)) from error
    if not isinstance(values, dict):
        raise UnknownReasonError("parameters of a reason are an object")
    return Reason(known, tuple((str(k), str(v)) for k, v in sorted(values.items())))


def render(reason: Reason, language: Language) -> str:
    """Return the sentence. A parameter that is missing shows as `?`.

    `length` is the parameter `seconds` as people say it.
    """
    shown = {name: _figure(text, language) for name, text in reason.parameters}
    if "seconds" in shown:
        shown["length"] = _length(dict(reason.parameters)["seconds"], shown["seconds"])
    return _SENTENCES[reason.key][language].format_map(_Missing(shown))


def _figure(text: str, language: Language) -> str:
    """Return `1,5` for `1.5` where that is how it is written."""
    return text.replace(".", ",") if language == "de" and _DECIMAL.fullmatch(text) else text


def _length(seconds: str, shown: str) -> str:
    """Return `7.3 s`, or `4:11 min` from a minute on."""
    try:
        whole = round(float(seconds))
    except (ValueError, OverflowError):
        return shown
    return f"{shown} s" if whole < 60 else f"{whole // 60}:{whole % 60:02} min"


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


class _Missing(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


_SENTENCES: Mapping[ReasonKey, Mapping[Language, str]] = {
    ReasonKey.RECORDED: {
        "en": "Recorded: {length}.",
        "de": "Aufgezeichnet: {length}.",
    },
    ReasonKey.RECORDED_LEGAL_DUTY: {
        "en": "Recorded because of a legal duty: {length}; the other party was informed.",
        "de": "Aus gesetzlicher Pflicht aufgezeichnet: {length}; "
        "die andere Seite wurde informiert.",
    },
    ReasonKey.RECOVERED: {
        "en": "The server stopped during the call; {length} of audio were recovered.",
        "de": "Der Server blieb während des Gesprächs stehen; {length} Ton wurden gerettet.",
    },
    ReasonKey.TOO_SHORT: {
        "en": "Only {seconds} s were recorded, less than the minimum of {minimum} s.",
        "de": "Nur {seconds} s wurden aufgezeichnet, weniger als das Minimum von {minimum} s.",
    },
    ReasonKey.WITHDRAWN: {
        "en": "{party} withdrew the consent during the call.",
        "de": "{party} hat die Einwilligung während des Gesprächs widerrufen.",
    },
    ReasonKey.NOT_ANSWERED: {
        "en": "The call was not answered.",
        "de": "Der Anruf wurde nicht angenommen.",
    },
    ReasonKey.BUSY: {"en": "{number} was busy.", "de": "{number} war besetzt."},
    ReasonKey.REJECTED: {
        "en": "{number} rejected the call.",
        "de": "{number} hat den Anruf abgewiesen.",
    },
    ReasonKey.CANCELLED: {
        "en": "The caller hung up before the call was answered.",
        "de": "Der Anrufer hat aufgelegt, bevor jemand abnahm.",
    },
    ReasonKey.UNREACHABLE: {
        "en": "{number} could not be reached.",
        "de": "{number} war nicht erreichbar.",
    },
    ReasonKey.NOT_CONNECTED: {
        "en": "The parties never talked to each other.",
        "de": "Die Teilnehmer haben nie miteinander gesprochen.",
    },
    ReasonKey.FORWARDED_IN_CIRCLE: {
        "en": "The call was forwarded in a circle, by {number} among others.",
        "de": "Der Anruf wurde im Kreis weitergeleitet, unter anderem von {number}.",
    },
    ReasonKey.NO_SRTP: {
        "en": "The call had to be encrypted (SRTP), and one side could not do that.",
        "de": "Das Gespräch musste verschlüsselt sein (SRTP), und eine Seite konnte das nicht.",
    },
    ReasonKey.REFUSED_BY_KEY: {
        "en": "The other party was asked and did not agree.",
        "de": "Die andere Seite wurde gefragt und hat nicht zugestimmt.",
    },
    ReasonKey.REFUSED_BY_SILENCE: {
        "en": "The other party was asked and pressed no key.",
        "de": "Die andere Seite wurde gefragt und hat keine Taste gedrückt.",
    },
    ReasonKey.REFUSED_BY_LEAVING: {
        "en": "The other party left, or was moved, while it was being asked.",
        "de": "Die andere Seite hat die Frage nicht abgewartet oder wurde weiterverbunden.",
    },
    ReasonKey.EMERGENCY: {
        "en": "Emergency calls are never recorded.",
        "de": "Notrufe werden nie aufgezeichnet.",
    },
    ReasonKey.FAX: {
        "en": "A fax is never recorded.",
        "de": "Ein Fax wird nie aufgezeichnet.",
    },
    ReasonKey.NEVER: {
        "en": "Calls of extension {number} must never be recorded.",
        "de": "Gespräche der Nebenstelle {number} dürfen nie aufgezeichnet werden.",
    },
    ReasonKey.NO_OPT_IN: {
        "en": "Extension {number} has not agreed to being recorded.",
        "de": "Die Nebenstelle {number} hat Aufzeichnungen nicht zugestimmt.",
    },
    ReasonKey.NO_KEY: {
        "en": "The other party could not be asked: its line carries no keys.",
        "de": "Die andere Seite konnte nicht gefragt werden: ihr Anschluss überträgt keine Tasten.",
    },
    ReasonKey.MODE_OFF: {
        "en": "Recording is off for {numbers}.",
        "de": "Die Aufzeichnung ist ausgeschaltet für {numbers}.",
    },
    ReasonKey.OTHER_DIRECTION: {
        "en": "Extension {number} does not record calls of this direction.",
        "de": "Die Nebenstelle {number} zeichnet Gespräche dieser Richtung nicht auf.",
    },
    ReasonKey.NOT_STARTED: {
        "en": "Extension {number} may record by key, but did not start a recording.",
        "de": "Die Nebenstelle {number} darf per Taste aufzeichnen, "
        "hat aber keine Aufzeichnung gestartet.",
    },
    ReasonKey.NOBODY_ASKED: {
        "en": "Nobody asked for a recording.",
        "de": "Niemand wollte eine Aufzeichnung.",
    },
    ReasonKey.NO_OWN_PARTY: {
        "en": "The call was forwarded outside: none of our extensions took part.",
        "de": "Der Anruf wurde nach außen weitergeleitet: keine Nebenstelle war beteiligt.",
    },
    ReasonKey.DISK: {
        "en": "The recording could not be written: {detail}.",
        "de": "Die Aufzeichnung konnte nicht geschrieben werden: {detail}.",
    },
    ReasonKey.ENCODER: {
        "en": "The audio could not be encoded: {detail}.",
        "de": "Der Ton konnte nicht kodiert werden: {detail}.",
    },
    ReasonKey.RECORDER_DIED: {
        "en": "The recorder stopped during the call; {length} are kept.",
        "de": "Der Rekorder blieb während des Gesprächs stehen; {length} sind erhalten.",
    },
    ReasonKey.RECORDER_BUSY: {
        "en": "The recorder had no room for another recording.",
        "de": "Der Rekorder hatte keinen Platz für eine weitere Aufzeichnung.",
    },
    ReasonKey.MEDIA_WORKER_DIED: {
        "en": "The media worker stopped during the call; {length} are kept.",
        "de": "Die Medienvermittlung blieb während des Gesprächs stehen; {length} sind erhalten.",
    },
    ReasonKey.SERVER_DIED: {
        "en": "The server stopped during the call and left no audio.",
        "de": "Der Server blieb während des Gesprächs stehen und hinterließ keinen Ton.",
    },
    ReasonKey.NO_EVIDENCE: {
        "en": "The evidence of consent could not be stored, so nothing was recorded.",
        "de": "Der Nachweis der Einwilligung ließ sich nicht speichern, "
        "darum wurde nichts aufgezeichnet.",
    },
    ReasonKey.NO_AUDIO: {
        "en": "No audio arrived while the recording was on.",
        "de": "Während der Aufzeichnung kam kein Ton an.",
    },
    ReasonKey.AUDIO_MISSING: {
        "en": "{seconds} s of audio are missing in the recording.",
        "de": "In der Aufzeichnung fehlen {seconds} s Ton.",
    },
    ReasonKey.UNKNOWN_CODEC: {
        "en": "The parties spoke a codec that can't be recorded: {codec}.",
        "de": "Die Teilnehmer nutzten einen Codec, der nicht aufgezeichnet werden kann: {codec}.",
    },
    ReasonKey.CODEC_NOT_INSTALLED: {
        "en": "The parties spoke {codec}; to record it, install {needs} on the server.",
        "de": "Die Teilnehmer nutzten {codec}; zum Aufzeichnen fehlt dem Server {needs}.",
    },
    ReasonKey.INTERNAL_ERROR: {
        "en": "An error in the server ended the recording: {detail}.",
        "de": "Ein Fehler im Server beendete die Aufzeichnung: {detail}.",
    },
}
