"""A shop, a chat client that somebody else wrote, and the model that it asks: what became of a repair says daper."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tests.clients import story
from tests.clients.chat import Chat
from tests.clients.screen import Screen
from tests.clients.scripted_model import Script, ScriptedModel, speaking
from tests.clients.silent_proxy import Refusals, refusing
from tests.e2e.conftest import Shop

C = TypeVar("C", bound=Chat)

TOOLS = {
    "start_repair",
    "report_problem",
    "stop_repair",
    "wait_for_repair",
    "get_repair",
    "list_repairs",
    "get_repair_report",
    "list_records",
    "get_record",
    "approve_repair",
    "reject_repair",
    "tell_record",
    "initiate_proactive_agent",
    "get_proactive_agent",
}
DENIED, ASKED = "payment-denied", "payment_update_requested"


@dataclass(frozen=True, kw_only=True)
class Chatting(Generic[C]):
    """A client on one record of a shop, whose payment was refused."""

    shop: Shop
    record_id: str
    chat: C
    model: ScriptedModel
    beyond: Refusals

    @property
    def repair_id(self) -> str:
        """The repair that was begun."""
        return story.began(self.model.results)

    @property
    def status(self) -> str:
        """How the record stands."""
        return self.shop.orders()[self.record_id]["status"]

    # Any: documents of many shapes.
    def repair(self) -> dict[str, Any]:
        """The repair as daper has it."""
        return self.shop.run("repair", "show", self.repair_id, "--json").document()

    @property
    def phase(self) -> str:
        """Where the repair is."""
        return self.repair()["phase"]

    def said(self, screen: Screen, words: str) -> None:
        """Wait until the last that the model said begins with these words."""

        def last() -> str:
            turns = self.model.turns
            return words if turns and str(turns[-1].said).startswith(words) else ""

        screen.until(last, what=f"{words!r} of the model")

    def nothing_decided(self) -> None:
        """The plan waits, nobody has decided, and the record is as it was."""
        repair = self.repair()
        assert (repair["phase"], repair["decisions"]) == ("PENDING-APPROVAL", []), repair
        assert self.status == DENIED

    def decided_once(self, how: str) -> None:
        """One decision for the whole plan, confirmed like this; it ended, and ran once."""
        repair = self.repair()
        (decision,) = repair["decisions"]
        assert repair["phase"] == "REPORT-COMPLETED"
        assert decision["decision"]["verdicts"] == {"a1": "approve"}
        assert decision["decision"]["by"]["name"] == "Minerva"
        assert (decision["decision"]["confirmed"], decision["decision"]["door"]) == (how, "mcp")
        assert [outcome["status"] for outcome in repair["outcomes"]] == ["applied"], repair["outcomes"]
        assert self.status == ASKED


@contextmanager
def chatting(
    kind: type[C],
    shop: Shop,
    record_id: str,
    home: Path,
    configuration: str,
    *,
    script: Script | None = None,
    extra: Mapping[str, str] | None = None,
) -> Generator[Chatting[C]]:
    """A client in a home of its own, with what is configured so."""
    with refusing() as beyond, speaking(script or story.repair(record_id)) as model:
        chat = kind(home=home, model=model, beyond=beyond, configuration=configuration, extra=extra or {})
        try:
            yield Chatting(shop=shop, record_id=record_id, chat=chat, model=model, beyond=beyond)
        finally:
            chat.end()


def printed_for(kind: type[Chat], shop: Shop, extra: Mapping[str, str] | None = None) -> str:
    """What `daper mcp config` prints for a client, to be pasted as it is."""
    printed = shop.run("mcp", "config", kind.printed_as, extra=extra)
    assert printed.code == 0, printed
    return printed.out
