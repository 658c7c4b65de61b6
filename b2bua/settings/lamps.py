"""`[lamps]`: which lamps telephones may have beside the one of their own record key."""

from typing import Literal

from pydantic import Field, model_validator

from b2bua.settings.section import Section
from b2bua.settings.values import ExtensionNumber


class LampsConfig(Section):
    """`[lamps]`: who sees from other extensions whether they are in a call."""

    watch: Literal["everybody", "nobody", "listed"] = "everybody"
    watchers: dict[ExtensionNumber, tuple[ExtensionNumber, ...]] = Field(default_factory=dict)
    "Where `watch` is `listed`: an extension, and those that it may watch."

    @model_validator(mode="after")
    def _watchers_count(self) -> "LampsConfig":
        if self.watchers and self.watch != "listed":
            raise ValueError('watchers count only with watch = "listed"')
        return self

    def allows(self, watcher: str, watched: str) -> bool:
        """Tell whether one extension may see that another one is in a call."""
        if watcher == watched or self.watch == "everybody":
            return True
        return self.watch == "listed" and watched in self.watchers.get(watcher, ())
