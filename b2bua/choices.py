"""What can be chosen of an extension, a user or a token, in the words of commands and requests."""

from typing import Literal, get_args

Mode = Literal["off", "manual", "automatic", "never"]
ManualConsent = Literal["ask", "attested"]
Direction = Literal["incoming", "outgoing", "internal"]

SrtpWish = Literal["default", "off", "optional", "required"]
"Of an extension's telephones; `default`: as the configuration says for everybody."

DtmfWay = Literal["rfc4733", "info", "in_band"]

Role = Literal["admin", "listener", "auditor"]
Scope = Literal["calls", "audio", "metrics", "audit"]

EVERY_DIRECTION: tuple[Direction, ...] = get_args(Direction)
EVERY_WAY: tuple[DtmfWay, ...] = get_args(DtmfWay)
EVERY_SCOPE: tuple[Scope, ...] = get_args(Scope)
