"""Every tool that there is, and each of its arguments; nothing that is called right can be answered."""

from typing import Any, get_args, get_origin

from mcp.server.mcpserver.tools import Tool
from pydantic.fields import FieldInfo

from daper.core.access import Access
from daper.core.models import IdentityProof, Person
from daper.entrypoints.mcp.door import Caller, Door
from daper.entrypoints.mcp.server import tools_of
from daper.settings import ChatApproval, load_settings

LUNA = Caller(person=Person(name="Luna", how=IdentityProof.CLAIMED), access=frozenset(Access))


async def _connects(_: object) -> Any:
    raise AssertionError("a wrong call went on to Temporal")


_SETTINGS = load_settings(environ={"HOME": "/nowhere"})
DOOR = Door(settings=_SETTINGS, load=lambda: _SETTINGS, who=lambda _: LUNA, connects=_connects)
TOOLS: dict[str, Tool] = {tool.name: tool for tool in tools_of(DOOR, approval=ChatApproval.ELICIT)}
# Any: what stands in an annotation.
ARGUMENTS: dict[tuple[str, str], FieldInfo] = {
    (name, argument): field
    for name, tool in TOOLS.items()
    for argument, field in tool.fn_metadata.arg_model.model_fields.items()
}


# Any: whatever stands in an annotation.
def is_list(annotation: Any) -> bool:
    """Whether an argument is a list."""
    return get_origin(annotation) is list or any(map(is_list, get_args(annotation)))
