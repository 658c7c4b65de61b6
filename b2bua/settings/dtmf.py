"""`[dtmf]`: in which ways keys are taken from telephones, and sent to them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from b2bua.settings.section import Section
from b2bua.settings.values import ExtensionNumber, each_once
from ivr.key_pad import Way

Ways = Annotated[tuple[Way, ...], Field(min_length=1), AfterValidator(each_once)]

USUAL: Ways = (Way.RFC4733, Way.INFO)


class DtmfConfig(Section):
    """`[dtmf]`: keys of extensions. Those of a trunk stand with the trunk."""

    extensions: Ways = USUAL
    extension: dict[ExtensionNumber, Ways] = Field(default_factory=dict)
    "For single extensions, in place of `extensions`; what is set of the extension itself wins."
    in_band_codes: bool = False
    "Whether star codes may be dialled by tones, which the other party has heard by then."

    def ways_of(self, number: str) -> Ways:
        """Return in which ways an extension presses keys."""
        return self.extension.get(number, self.extensions)
