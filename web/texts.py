"""The words of the pages, German and English.

One line per sentence and language, under a stable key. Both languages have the same keys and
the same parameters (tests see to it). Jinja2 escapes what is put in, so that parameters may be
anything.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from web.audit_texts import AUDIT_TEXTS
from web.ports import Language

LANGUAGES: Final[tuple[Language, ...]] = ("de", "en")
DEFAULT: Final[Language] = "en"

LANGUAGE_NAMES: Final[Mapping[Language, str]] = {"de": "Deutsch", "en": "English"}

_PREFERENCE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]{1,32})?\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?\s*",
    re.ASCII,
)


def preferred(accept_language: str) -> Language:
    """Return the language of ours that the browser likes best (:rfc:`9110#section-12.5.4`)."""
    best: Language = DEFAULT
    best_quality = 0.0
    for item in accept_language[:500].split(","):
        match = _PREFERENCE.fullmatch(item)
        if match is None:
            continue
        name, quality = match[1].lower(), float(match[2] or 1)
        for language in LANGUAGES:
            if name == language and quality > best_quality:
                best, best_quality = language, quality
    return best


@dataclass(frozen=True, slots=True)
class Texts:
    """The catalogue in one language."""

    language: Language

    def __call__(self, key: str, **parameters: object) -> str:
        """Return a sentence; an unknown key is our bug and raises `KeyError`."""
        return CATALOGUE[key][self.language].format_map(parameters)

    def word(self, kind: str, value: str, **parameters: object) -> str:
        """Return the word for a value of the database; one that we don't know stays as it is."""
        entry = CATALOGUE.get(f"{kind}.{value.lower().replace(' ', '_')}")
        return value if entry is None else entry[self.language].format_map(parameters)


def _both(de: str, en: str) -> Mapping[Language, str]:
    return {"de": de, "en": en}


CATALOGUE: Final[Mapping[str, Mapping[Language, str]]] = {
    # frame
    "skip": _both("Zum Inhalt", "Skip to content"),
    "nav": _both("Hauptmenü", "Main menu"),
    "nav.calls": _both("Gespräche", "Calls"),
    "nav.extensions": _both("Nebenstellen", "Extensions"),
    "nav.storage": _both("Speicherplatz", "Storage"),
    "logout": _both("Abmelden", "Log out"),
    "logged_in_as": _both("Angemeldet als {name}", "Logged in as {name}"),
    # login
    "login.title": _both("Anmelden", "Log in"),
    "login.name": _both("Benutzername", "User name"),
    "login.password": _both("Passwort", "Password"),
    "login.submit": _both("Anmelden", "Log in"),
    "login.wrong": _both(
        "Benutzername oder Passwort stimmt nicht.", "User name or password is not right."
    ),
    "login.wait": _both(
        "Zu viele Versuche. Bitte warten Sie {seconds} Sekunden.",
        "Too many tries. Please wait {seconds} seconds.",
    ),
    "login.again": _both(
        "Ihre Sitzung ist abgelaufen. Bitte melden Sie sich neu an.",
        "Your session has expired. Please log in again.",
    ),
    "login.out": _both("Sie sind abgemeldet.", "You are logged out."),
    # calls
    "calls.title": _both("Gespräche", "Calls"),
    "calls.now": _both(
        "Gespräche jetzt: {calls} · Aufzeichnungen: {recordings} · "
        "angemeldete Telefone: {registrations}",
        "Calls now: {calls} · recordings: {recordings} · phones registered: {registrations}",
    ),
    "calls.no_live": _both(
        "Der Vermittlungsdienst antwortet gerade nicht.",
        "The call server does not answer just now.",
    ),
    "calls.disk": _both(
        "Der Ordner der Aufzeichnungen antwortet nicht. Darum fehlen hier die Lautsprecher.",
        "The recordings' folder does not answer. That is why there are no loudspeakers here.",
    ),
    "filter.title": _both("Suche", "Search"),
    "filter.number": _both("Rufnummer", "Number"),
    "filter.number_hint": _both("auch ein Teil", "or a part of it"),
    "filter.from": _both("Von", "From"),
    "filter.to": _both("Bis", "To"),
    "filter.outcome": _both("Aufzeichnung", "Recording"),
    "filter.any": _both("alle", "any"),
    "filter.submit": _both("Suchen", "Search"),
    "filter.reset": _both("Zurücksetzen", "Reset"),
    "filter.dates_swapped": _both(
        "„Von“ liegt nach „Bis“.",
        "“From” is later than “To”.",
    ),
    "calls.none": _both("Noch keine Gespräche.", "No calls yet."),
    "calls.none_hint": _both(
        "Sobald ein angemeldetes Telefon telefoniert, steht das Gespräch hier.",
        "As soon as a registered phone makes a call, it is listed here.",
    ),
    "calls.none_found": _both(
        "Kein Gespräch passt zu dieser Suche.", "No call matches this search."
    ),
    "calls.older": _both("Ältere", "Older"),
    "calls.newest": _both("Neueste", "Newest"),
    "calls.pages": _both("Blättern", "Pages"),
    "column.time": _both("Zeit", "Time"),
    "column.from": _both("Anrufer", "From"),
    "column.to": _both("Ziel", "To"),
    "column.duration": _both("Dauer", "Duration"),
    "column.result": _both("Ergebnis", "Result"),
    "column.recording": _both("Aufzeichnung", "Recording"),
    "direction.incoming": _both("Ankommend", "Incoming"),
    "direction.outgoing": _both("Abgehend", "Outgoing"),
    "direction.internal": _both("Intern", "Internal"),
    "call.did": _both("über {number}", "via {number}"),
    "call.answered_by": _both("angenommen von {who}", "answered by {who}"),
    "call.running": _both("läuft", "in progress"),
    "call.talked": _both("Gesprächsdauer {time}", "Talked for {time}"),
    "call.rang": _both("{time} geklingelt", "Rang for {time}"),
    "disposition.answered": _both("Angenommen", "Answered"),
    "disposition.no_answer": _both("Nicht angenommen", "Not answered"),
    "disposition.busy": _both("Besetzt", "Busy"),
    "disposition.failed": _both("Fehlgeschlagen", "Failed"),
    "outcome.recorded": _both("aufgezeichnet", "recorded"),
    "outcome.withdrawn": _both("widerrufen", "withdrawn"),
    "outcome.failed": _both("fehlgeschlagen", "failed"),
    "outcome.too_short": _both("zu kurz", "too short"),
    "outcome.not_connected": _both("kein Gespräch", "not connected"),
    "outcome.refused": _both("nicht zugestimmt", "refused"),
    "outcome.blocked": _both("nicht möglich", "not possible"),
    "outcome.not_wanted": _both("nicht verlangt", "not wanted"),
    # recordings
    "play": _both("Anhören", "Listen"),
    "play.part": _both("Teil {number}", "Part {number}"),
    "play.label": _both(
        "Aufzeichnung anhören: {caller} mit {callee}, {time}",
        "Listen to the recording: {caller} with {callee}, {time}",
    ),
    "play.live_label": _both(
        "Laufende Aufzeichnung anhören: {caller} mit {callee}",
        "Listen to the recording that is running: {caller} with {callee}",
    ),
    "live": _both("live", "live"),
    "download": _both("Herunterladen", "Download"),
    "download.label": _both("{name} herunterladen", "Download {name}"),
    "recording.open": _both("Die Aufzeichnung läuft.", "The recording is running."),
    "recording.vanished": _both("Die Datei ist nicht mehr da.", "The file is no longer there."),
    "recording.missing_audio": _both(
        "{seconds} s Ton fehlen.", "{seconds} s of audio are missing."
    ),
    "recording.recovered": _both("Nach einem Absturz gerettet.", "Recovered after a crash."),
    "player.title": _both("Wiedergabe", "Player"),
    "player.now": _both("{caller} mit {callee}, {began}", "{caller} with {callee}, {began}"),
    "player.close": _both("Schließen", "Close"),
    "player.failed": _both(
        "Die Aufzeichnung lässt sich nicht abspielen.", "The recording can't be played."
    ),
    # extensions
    "extensions.title": _both("Nebenstellen", "Extensions"),
    "extensions.intro": _both(
        "Aufgezeichnet wird nur, wer zugestimmt hat: die Nebenstelle hier, die andere Seite im "
        "Gespräch.",
        "Only those who agreed are recorded: the extension here, the other party in the call.",
    ),
    "extensions.none": _both("Noch keine Nebenstellen.", "No extensions yet."),
    "extensions.none_hint": _both(
        "Neue Nebenstellen legt der Befehl „mitschnitt ext add“ an.",
        "The command “mitschnitt ext add” makes new extensions.",
    ),
    "extensions.read_only": _both(
        "Ändern kann das nur die Verwaltung.", "Only an administrator can change this."
    ),
    "column.extension": _both("Nebenstelle", "Extension"),
    "column.phone": _both("Telefon", "Phone"),
    "column.opt_in": _both("Zustimmung", "Agreement"),
    "column.mode": _both("Aufzeichnung", "Recording"),
    "extension.registered": _both("angemeldet", "registered"),
    "extension.not_registered": _both("nicht angemeldet", "not registered"),
    "extension.disabled": _both("gesperrt", "disabled"),
    "mode.off": _both("Aus", "Off"),
    "mode.manual": _both("Von Hand ({code})", "By hand ({code})"),
    "mode.automatic": _both("Automatisch", "Automatic"),
    "mode.never": _both("Nie", "Never"),
    "mode.off.hint": _both("Es wird nicht aufgezeichnet.", "Nothing is recorded."),
    "mode.manual.hint": _both(
        "Wer telefoniert, startet und stoppt mit {code}.",
        "The one on the phone starts and stops with {code}.",
    ),
    "mode.automatic.hint": _both(
        "Jedes Gespräch, dem die andere Seite zustimmt.",
        "Every call that the other party agrees to.",
    ),
    "mode.never.hint": _both(
        "Gilt auch gegen den Wunsch der anderen Nebenstelle.",
        "Holds against the wish of the other extension too.",
    ),
    "mode.label": _both("Aufzeichnung der Nebenstelle {number}", "Recording of extension {number}"),
    "mode.save": _both("Speichern", "Save"),
    "mode.needs_opt_in": _both(
        "Automatisch und von Hand erst nach der Zustimmung.",
        "Automatic and by hand only after the agreement.",
    ),
    "finer.open": _both("Weitere Einstellungen", "More settings"),
    "finer.label": _both(
        "Weitere Einstellungen der Nebenstelle {number}", "More settings of extension {number}"
    ),
    "forward.title": _both("Weiterleiten", "Forward"),
    "forward.always": _both("Immer an", "Always to"),
    "forward.busy": _both("Wenn besetzt an", "When busy to"),
    "forward.no_answer": _both("Wenn niemand abnimmt an", "Without an answer to"),
    "forward.offline": _both("Wenn nicht erreichbar an", "When offline to"),
    "forward.after_s": _both("So viele Sekunden klingelt es", "Rings for so many seconds"),
    "forward.hint": _both(
        "Nummern, wie die Nebenstelle sie wählt; leer: keine Weiterleitung.",
        "Numbers as the extension dials them; empty: not forwarded.",
    ),
    "srtp.title": _both("Verschlüsselter Ton (SRTP)", "Encrypted sound (SRTP)"),
    "srtp.label": _both("Verschlüsselung des Tons", "Encryption of the sound"),
    "srtp.default": _both("Wie für alle eingestellt", "As set for everybody"),
    "srtp.off": _both("Aus", "Off"),
    "srtp.optional": _both("Wenn das Telefon es kann", "Where the telephone can"),
    "srtp.required": _both("Immer, sonst kein Anruf", "Always, or no call"),
    "srtp.hint": _both(
        "Das Telefon muss sich über TLS anmelden.", "The telephone has to register over TLS."
    ),
    "dtmf.title": _both("Tasten (MFV)", "Keys (DTMF)"),
    "dtmf.rfc4733": _both("Telefon-Ereignisse (RFC 4733)", "Telephone events (RFC 4733)"),
    "dtmf.info": _both("SIP INFO", "SIP INFO"),
    "dtmf.in_band": _both("Töne im Gespräch", "Tones in the sound"),
    "dtmf.hint": _both(
        "Wie das Telefon Tasten sendet; ohne Angabe wie für alle eingestellt.",
        "How the telephone sends keys; with none ticked as set for everybody.",
    ),
    "consent.title": _both("Von Hand", "By hand"),
    "consent.label": _both("Zustimmung der anderen Seite", "Agreement of the other party"),
    "consent.ask": _both("Eine Ansage fragt nach", "An announcement asks"),
    "consent.attested": _both("Die Nebenstelle fragt selbst", "The extension asks itself"),
    "consent.hint": _both(
        "Die andere Seite muss zustimmen. Fragt die Nebenstelle selbst, steht sie dafür ein.",
        "The other party has to agree. An extension that asks itself vouches for it.",
    ),
    "directions.title": _both("Automatisch", "Automatic"),
    "directions.incoming": _both("Ankommende Gespräche", "Incoming calls"),
    "directions.outgoing": _both("Abgehende Gespräche", "Outgoing calls"),
    "directions.internal": _both("Interne Gespräche", "Internal calls"),
    "directions.only": _both("Nur: {which}.", "Only: {which}."),
    "may_stop.label": _both(
        "Wer telefoniert, darf die Aufzeichnung mit {code} beenden",
        "The one on the phone may stop the recording with {code}",
    ),
    "may_stop.yes": _both("Darf mit {code} beendet werden.", "May be stopped with {code}."),
    "opt_in.yes": _both("Zugestimmt am {date}", "Agreed on {date}"),
    "opt_in.by": _both("eingetragen von {actor}", "entered by {actor}"),
    "opt_in.no": _both("Keine Zustimmung", "No agreement"),
    "opt_in.give": _both("Zustimmung eintragen", "Enter agreement"),
    "opt_in.give.label": _both(
        "Zustimmung der Nebenstelle {number} eintragen", "Enter the agreement of extension {number}"
    ),
    "opt_in.withdraw": _both("Widerrufen", "Withdraw"),
    "opt_in.withdraw.label": _both(
        "Zustimmung der Nebenstelle {number} widerrufen",
        "Withdraw the agreement of extension {number}",
    ),
    "saved": _both("Nebenstelle {number}: gespeichert.", "Extension {number}: saved."),
    "refused": _both("Nicht gespeichert: {reason}", "Not saved: {reason}"),
    "refused.opt_in": _both(
        "Nebenstelle {number} hat noch nicht zugestimmt.",
        "Extension {number} has not agreed yet.",
    ),
    "refused.forward": _both(
        "Weiterleitung der Nebenstelle {number}: nur Nummern, und 5 bis 300 Sekunden.",
        "Forwarding of extension {number}: numbers only, and 5 to 300 seconds.",
    ),
    "refused.directions": _both(
        "Nebenstelle {number}: Mindestens eine Richtung gehört dazu. "
        "Soll nichts aufgezeichnet werden, wählen Sie „Aus“.",
        "Extension {number}: one direction at least. To record nothing, choose “Off”.",
    ),
    # storage
    "storage.title": _both("Speicherplatz", "Storage"),
    "storage.folder": _both("Ordner", "Folder"),
    "storage.recordings": _both("Aufzeichnungen", "Recordings"),
    "storage.recordings_count": _both("in {count} Dateien", "in {count} files"),
    "storage.used": _both("Belegt", "Used"),
    "storage.used_of": _both("von {total}", "of {total}"),
    "storage.free": _both("Frei", "Free"),
    "storage.free_minutes": _both("rund {minutes} Gesprächsminuten", "about {minutes} minutes"),
    "storage.growth": _both("Zuwachs am Tag", "Growth per day"),
    "storage.growth_days": _both(
        "{minutes} Minuten am Tag, Schnitt aus {days} Tagen",
        "{minutes} minutes a day, average of {days} days",
    ),
    "storage.growth_day": _both(
        "{minutes} Minuten, erster Tag", "{minutes} minutes, the first day"
    ),
    "storage.no_growth": _both("noch kein Verkehr", "no traffic yet"),
    "storage.full": _both("Voll am", "Full on"),
    "storage.full_days": _both("in {days} Tagen", "in {days} days"),
    "storage.full_never": _both("nicht absehbar", "not in sight"),
    "storage.full_far": _both("in mehr als zehn Jahren", "in more than ten years"),
    "storage.meter": _both("{percent} % des Datenträgers belegt", "{percent} % of the disk used"),
    "storage.low": _both(
        "Weniger als 10 % sind frei. Räumen Sie bald auf.",
        "Less than 10 % is free. Make room soon.",
    ),
    "storage.critical": _both(
        "Weniger als 5 % sind frei: es beginnen keine neuen Aufzeichnungen. "
        "Telefonieren geht weiter.",
        "Less than 5 % is free: no new recordings begin. Calls go on.",
    ),
    "storage.trouble": _both(
        "Der Ordner ist nicht erreichbar: {trouble}", "The folder can't be reached: {trouble}"
    ),
    "storage.chart": _both(
        "Aufgezeichnete Minuten je Tag, die letzten {days} Tage",
        "Recorded minutes per day, the last {days} days",
    ),
    "storage.chart_day": _both("{date}: {minutes} Minuten", "{date}: {minutes} minutes"),
    "storage.test": _both("Speicher prüfen", "Test storage"),
    "storage.test_hint": _both(
        "Schreibt und löscht eine kleine Datei im Ordner.",
        "Writes and removes a small file in the folder.",
    ),
    "storage.test_ok": _both(
        "Der Ordner ist beschreibbar. Alles in Ordnung.", "The folder can be written. All is well."
    ),
    "storage.test_failed": _both(
        "Der Ordner ist nicht beschreibbar: {trouble}", "The folder can't be written: {trouble}"
    ),
    "calculator.title": _both("Bedarf berechnen", "Calculate the need"),
    "calculator.intro": _both(
        "Eine Gesprächsminute braucht höchstens 200 KB.", "A minute of talk takes 200 KB at most."
    ),
    "calculator.minutes": _both("Gesprächsminuten am Tag", "Minutes of talk a day"),
    "calculator.days": _both("Aufbewahren (Tage)", "Keep for (days)"),
    "calculator.submit": _both("Rechnen", "Calculate"),
    "calculator.result": _both(
        "{day} am Tag, {total} in {days} Tagen", "{day} a day, {total} in {days} days"
    ),
    "calculator.bad": _both(
        "Bitte zwei Zahlen eingeben: Minuten bis 10.000.000, Tage bis 36.500.",
        "Please enter two numbers: minutes up to 10,000,000, days up to 36,500.",
    ),
    # errors
    "error.back": _both("Zu den Gesprächen", "To the calls"),
    "error.400": _both("Diese Anfrage verstehe ich nicht.", "This request makes no sense to me."),
    "error.401": _both("Bitte melden Sie sich an.", "Please log in."),
    "error.403": _both("Das dürfen Sie nicht.", "You may not do this."),
    "error.404": _both("Das gibt es hier nicht.", "There is nothing here."),
    "error.405": _both("So lässt sich das nicht aufrufen.", "This can't be called that way."),
    "error.409": _both("Das lässt sich so nicht ändern.", "This can't be changed that way."),
    "error.410": _both("Die Datei ist nicht mehr da.", "The file is no longer there."),
    "error.413": _both("Die Anfrage ist zu groß.", "The request is too large."),
    "error.422": _both("Ein Wert passt nicht.", "A value does not fit."),
    "error.429": _both("Zu viele Versuche.", "Too many tries."),
    "error.500": _both("Da ist ein Fehler passiert.", "Something went wrong."),
    "error.503": _both(
        "Der Dienst antwortet gerade nicht. Bitte versuchen Sie es gleich noch einmal.",
        "The service does not answer just now. Please try again in a moment.",
    ),
    # the auditor's pages
    **{key: _both(*both) for key, both in AUDIT_TEXTS.items()},
}
