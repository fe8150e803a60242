"""In which form a model is asked for its answer: a schema that the server enforces, a tool call, or in words."""

from typing import TYPE_CHECKING, Final

from daper.agents.llm.config import OutputMode

if TYPE_CHECKING:
    from pydantic_ai.models import Model

# From the surest to the one that needs nothing of a server.
_LADDER: Final = (OutputMode.NATIVE, OutputMode.TOOL, OutputMode.PROMPTED)


class Modes:
    """The output mode of one model: as configured, or the surest one that its server takes, found out as it is used.

    What was found out holds for the life of the process; nothing of it is needed again after that.
    """

    def __init__(self, wanted: OutputMode, model: "Model") -> None:
        self._wanted = wanted
        self._left = list(_LADDER)
        if not model.profile.get("supports_json_schema_output", False):
            self._left.remove(OutputMode.NATIVE)
        if not model.profile.get("supports_tools", True):
            self._left.remove(OutputMode.TOOL)

    @property
    def now(self) -> OutputMode:
        """The mode to ask in."""
        return self._left[0] if self._wanted is OutputMode.AUTO else self._wanted

    def step_down(self, tried: OutputMode) -> bool:
        """The server does not take the mode that was tried; whether there is another one to try."""
        if self._wanted is not OutputMode.AUTO:
            return False
        # Another call may have found it out meanwhile.
        if tried in self._left and len(self._left) > 1:
            self._left.remove(tried)
            return True
        return self._left[0] is not tried
