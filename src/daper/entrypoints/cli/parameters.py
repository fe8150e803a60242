"""Parameter types that several commands share."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

Flag = Annotated[bool, Parameter(negative=())]
Json = Annotated[bool, Parameter(name="--json", negative=())]
Names = Annotated[Sequence[str], Parameter(negative=())]

NONE: Sequence[str] = ()
