"""Who takes part in a call: an extension of ours, or somebody outside."""

from dataclasses import dataclass

from b2bua.directory import Extension
from b2bua.trunks.trunk import Trunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One side of a call, as rows, permits and telephones name it."""

    number: str
    name: str = ""
    extension: Extension | None = None
    "None: somebody outside."
    trunk: Trunk | None = None
    "Through which somebody outside is reached."

    @classmethod
    def own(cls, extension: Extension) -> "Party":
        """Return an extension as a party."""
        return cls(number=extension.number, name=extension.name, extension=extension)

    @property
    def channel(self) -> str:
        """Asterisk's word for the way to the party: technology and peer."""
        return f"SIP/{self.trunk.name if self.trunk is not None else self.number}"
