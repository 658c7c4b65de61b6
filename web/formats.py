"""Times, sizes and durations as people of either language write them."""

from datetime import date, datetime, tzinfo

from cdr.rows import utc
from cdr.usage import scaled
from web.ports import Language

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def rfc3339(at: int) -> str:
    """Return a stored time in UTC with milliseconds (:rfc:`3339`)."""
    return utc(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local(at: int, zone: tzinfo | None) -> datetime:
    """Return a stored time where the reader is; None: in the machine's zone."""
    return utc(at).astimezone(zone)


def start_of_day(day: date, zone: tzinfo | None) -> int:
    """Return when a day begins there, as it is stored."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return round(midnight.astimezone(utc(0).tzinfo).timestamp()) * 1_000_000


def day_text(day: date, language: Language) -> str:
    """Return `05.01.2026` or `5 Jan 2026`."""
    if language == "de":
        return f"{day:%d.%m.%Y}"
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def clock_text(moment: datetime) -> str:
    """Return `13:04:59`, which both languages write alike."""
    return f"{moment:%H:%M:%S}"


def moment_text(moment: datetime, language: Language) -> str:
    """Return day and minute."""
    return f"{day_text(moment.date(), language)}, {moment:%H:%M}"


def duration_text(seconds: float) -> str:
    """Return `0:07`, `12:34` or `1:02:03`."""
    whole = max(0, round(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def number_text(value: float, language: Language, places: int = 0) -> str:
    """Return `1,234.5` or `1.234,5`."""
    text = f"{value:,.{places}f}"
    return text.translate(str.maketrans(",.", ".,")) if language == "de" else text


def size_text(octets: float, language: Language) -> str:
    """Return `400 MB`: decimal units, as disks are sold."""
    value, places, unit = scaled(octets)
    return f"{number_text(value, language, places)} {unit}"
