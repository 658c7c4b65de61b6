"""`[[group]]`: one number that rings several extensions."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from b2bua.settings.section import Section
from b2bua.settings.values import ExtensionNumber


def _members(value: object) -> object:
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("a group needs a member")
        if len(set(value)) != len(value):
            raise ValueError("a member stands there twice")
    return value


class GroupConfig(Section):
    """`[[group]]`: extensions under one number, which DIDs and extensions can call."""

    number: ExtensionNumber
    members: Annotated[tuple[ExtensionNumber, ...], BeforeValidator(_members)]
    "In the order in which they ring in turn."
    ring: Literal["all", "in_turn"] = "all"
    turn_s: int = Field(default=15, ge=5, le=300)
    "How long each of them rings in turn."
    otherwise: ExtensionNumber | None = None
    "The own number that is rung when nobody has answered."
