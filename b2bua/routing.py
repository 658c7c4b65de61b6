"""From a dialled number to whom it reaches. Pure; the dial plan in one place."""

from dataclasses import dataclass

from b2bua.directory import Directory, Extension

MAX_NUMBER = 64


@dataclass(frozen=True, slots=True)
class ToExtension:
    """An own number was dialled."""

    extension: Extension


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nobody can be reached under this number."""

    code: int
    reason: str


Destination = ToExtension | NoRoute


def route(dialled: str, directory: Directory) -> Destination:
    """Return where a call from an extension to `dialled` goes."""
    if not dialled or len(dialled) > MAX_NUMBER:
        return NoRoute(404, "Not Found")
    extension = directory.get(dialled)
    if extension is None:
        return NoRoute(404, "Not Found")
    return ToExtension(extension)
