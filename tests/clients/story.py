"""What a careful model would do with daper's tools, as a script: from the start of a repair to its report."""

from typing import Any

from tests.clients.dialects import Call, Conversation, Result, Words
from tests.clients.scripted_model import Script

FINISHED = "That was all."
REFUSED = "That was refused: "
UNDECIDED = "Nothing was decided: "


def repair(record_id: str) -> Script:
    """The whole story of one record. It stops where nothing was decided; when the person says more, it looks again."""

    def script(conversation: Conversation) -> Call | str:
        last = conversation.last
        if isinstance(last, Words):
            begun = [result for result in conversation.results if result.tool == "start_repair"]
            if not begun:
                return Call("start_repair", {"record_ids": [record_id]})
            return Call("get_repair", {"repair_id": begun[0].document["repair_id"]})
        try:
            document = last.document
            repair_id: str = document["repair_id"]
        except (AssertionError, KeyError):
            return REFUSED + last.text
        if last.tool == "approve_repair" and document["decided"]:
            seen = next(call for call in reversed(conversation.results) if call.tool == "get_repair")
            return Call("wait_for_repair", {"repair_id": repair_id, "seen_plan": seen.document["plan_digest"]})
        return _next(last.tool, document, repair_id)

    return script


# Any: the document of a tool.
def _next(tool: str, document: dict[str, Any], repair_id: str) -> Call | str:
    """What follows an answer."""
    of_it = {"repair_id": repair_id}
    waiting = Call("wait_for_repair", of_it)
    match tool:
        case "start_repair":
            return waiting
        case "wait_for_repair" | "get_repair" if document["ended"]:
            return Call("get_repair_report", of_it)
        case "wait_for_repair":
            return Call("get_repair", of_it) if document["needs_person"] else waiting
        case "get_repair" if document["needs_person"]:
            return Call("approve_repair", {**of_it, "plan_digest": document["plan_digest"]})
        case "get_repair":
            return waiting
        case "approve_repair":
            return UNDECIDED + str(document["message"])
        case _:
            return FINISHED


def began(results: list[Result]) -> str:
    """The repair that the story began."""
    return next(result.document["repair_id"] for result in results if result.tool == "start_repair")
