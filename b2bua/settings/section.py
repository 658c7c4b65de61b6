"""What every section of the configuration is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of the file: frozen, and strict about what it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
