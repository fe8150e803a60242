"""The two base models: what crosses Temporal, and what a person or a language model said."""

from pydantic import BaseModel, ConfigDict


class Wire(BaseModel):
    """Crosses Temporal. Ignores unknown fields: old histories must still decode, and versions meet in a deploy."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Reply(BaseModel):
    """Comes from a person or a language model. Forbids unknown fields, and ends at the edge, where it becomes Wire."""

    model_config = ConfigDict(frozen=True, extra="forbid")
