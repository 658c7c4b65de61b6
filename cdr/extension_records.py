"""What is written about our extensions: their settings, and that they agreed to be recorded.

A telephone's password is there as HA1 only (:rfc:`7616#section-3.4.2`), and no `repr` shows it.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from cdr.unchanged import UNCHANGED, Unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class OptIn:
    """The agreement of the one who speaks at an extension."""

    at: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """HA1 for both algorithms, hexadecimal (:rfc:`7616#section-3.4.2`)."""

    realm: str
    ha1_md5: str = field(repr=False)
    ha1_sha256: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionAdded:
    actor: str
    at: int
    number: str
    credentials: Credentials
    name: str = ""
    mode: str = "off"
    "off, manual, automatic or never; manual and automatic need an opt-in."
    directions: tuple[str, ...] = ("incoming", "outgoing", "internal")
    user_may_stop: bool = False
    manual_consent: str = "ask"
    srtp: str = ""
    "off, optional or required; empty: as the configuration says for everybody."
    dtmf: tuple[str, ...] = ()
    "rfc4733, info and in_band: how it presses keys; empty: as the configuration says."
    opt_in: OptIn | None = None
    algorithms: tuple[str, ...] = ("MD5", "SHA-256")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionChanged:
    actor: str
    at: int
    number: str
    credentials: Credentials | Unchanged = UNCHANGED
    name: str | Unchanged = UNCHANGED
    mode: str | Unchanged = UNCHANGED
    directions: tuple[str, ...] | Unchanged = UNCHANGED
    user_may_stop: bool | Unchanged = UNCHANGED
    manual_consent: str | Unchanged = UNCHANGED
    forward_always: str | Unchanged = UNCHANGED
    "A number as the extension would dial it; empty: nowhere."
    forward_busy: str | Unchanged = UNCHANGED
    forward_no_answer: str | Unchanged = UNCHANGED
    forward_offline: str | Unchanged = UNCHANGED
    forward_after_s: int | Unchanged = UNCHANGED
    srtp: str | Unchanged = UNCHANGED
    dtmf: tuple[str, ...] | Unchanged = UNCHANGED
    opt_in: OptIn | Unchanged | None = UNCHANGED
    algorithms: tuple[str, ...] | Unchanged = UNCHANGED
    disabled: bool | Unchanged = UNCHANGED


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRemoved:
    actor: str
    at: int
    number: str


ExtensionUpsert: TypeAlias = ExtensionAdded | ExtensionChanged

ExtensionChange: TypeAlias = ExtensionUpsert | ExtensionRemoved
