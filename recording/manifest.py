"""The side file of a recording: `NAME.mp3.json`, with what proves what it is.

It lies beside the audio, so that a folder that was copied elsewhere still tells which call
a file belongs to, on what basis each party was recorded, and whether a single octet was
changed since. The database stays the record; nothing reads the side files back but
verification.
"""

from dataclasses import dataclass

import msgspec

from recording.folder import Folder
from recording.writer import describe

SUFFIX = ".json"
VERSION = 1


class ManifestError(Exception):
    """The octets are no manifest, or it could not be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedParty:
    """One party and the permit that it was recorded with."""

    party_id: str
    number: str
    side: int
    "0 caller (left in stereo), 1 callee (right)."

    basis: str
    evidence_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is known about one finished file."""

    file: str
    "Path below the recordings' folder."

    sha256: str
    octets: int
    duration_s: float
    sample_rate: int
    channels: int
    call_id: str
    segment: int
    started_at: str
    "RFC 3339, UTC."

    caller: str
    callee: str
    parties: tuple[RecordedParty, ...] = ()
    failure: str | None = None
    "Why audio is missing."

    recovered: bool = False
    "Finished by a later process than the one that began it."

    version: int = VERSION


def serialize(manifest: Manifest) -> bytes:
    """Return the manifest as JSON, one field a line."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def parse(data: bytes) -> Manifest:
    """Return the manifest that `serialize` wrote, or raise `ManifestError`."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ManifestError(str(error)) from error


def write(folder: Folder, manifest: Manifest) -> str:
    """Write the side file durably; return its path below the folder.

    Waits for the disk. A side file that is there already is left alone, and the new one
    gets a name of its own, as recordings do.
    """
    data = serialize(manifest)
    try:
        part = folder.create(manifest.file + SUFFIX)
        try:
            offset = 0
            while offset < len(data):
                offset += folder.write(part, data[offset:], offset)
            return folder.publish(part)
        except OSError:
            folder.discard(part)
            raise
        finally:
            folder.close(part)
    except OSError as error:
        raise ManifestError(describe(error)) from error
