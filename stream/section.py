"""What every table of the settings is: a frozen value in which an unknown key is an error."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of the settings: it does not change, and a misspelt key in it is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
