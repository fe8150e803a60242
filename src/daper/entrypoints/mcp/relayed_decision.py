"""A decision as a client relays it, before anybody confirmed it."""

import json
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from daper.core.commands import CommandLine, Said
from daper.core.models import Verdict
from daper.core.text import shown

_LONGEST_COMMAND = 1000
_LONGEST_SHORT = 200
_OPTIONS = "--action, --reject and --edit"

Changes = dict[str, dict[str, JsonValue]]


class Relayed(Protocol):
    """Something that a client relays, and that a person can also say in a terminal."""

    @property
    def in_a_terminal(self) -> Said:
        """The way that is always open, in a sentence."""
        ...


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A decision as a client relays it. Two that are equal are the same decision.

    `actions` and `rejecting` are selections, as they came; `verdict` is that on the former.
    """

    repair_id: str
    plan_digest: str
    verdict: Verdict
    actions: tuple[str, ...] = ()
    rejecting: tuple[str, ...] = ()
    edits: Changes
    comment: str = ""

    @property
    def command(self) -> CommandLine:
        """The command line that decides the same in a terminal, where it shows the plan and asks.

        Without the digest: with it, it would decide also where no person is.
        """
        parts = ["repair", str(self.verdict), self.repair_id]
        for selection in self.actions:
            parts += ["--action", selection]
        for selection in self.rejecting:
            parts += ["--reject", selection]
        for action_id, edits in self.edits.items():
            for name, value in edits.items():
                parts += ["--edit", f"{action_id}.{name}={json.dumps(value)}"]
        return CommandLine(*parts)

    @property
    def in_short(self) -> str:
        """What it would do, in a few words."""
        rest = "all other actions" if self.rejecting else "all of the plan"
        also = f", reject {_some(self.rejecting)}" if self.rejecting else ""
        return f"{self.verdict} {_some(self.actions) or rest}{', with changes' if self.edits else ''}{also}"

    @property
    def in_a_terminal(self) -> Said:
        """The way that is always open, in a sentence."""
        command, more = self.command, ""
        if len(str(command)) > _LONGEST_COMMAND:  # one that is cut would be another
            command, more = (
                CommandLine("repair", str(self.verdict), self.repair_id),
                ", with --action, --reject and --edit",
            )
        return Said(f"The person can say it in a terminal{more}, which shows the plan and asks: ", command)


def _some(selections: tuple[str, ...]) -> str:
    return shown(", ".join(selections), longest=_LONGEST_SHORT)


def approval(
    repair_id: str,
    plan_digest: str,
    actions: list[str] | None,
    reject: list[str] | None,
    edits: Changes | None,
    comment: str,
) -> Wanted:
    """An approval."""
    return Wanted(
        repair_id=repair_id,
        plan_digest=plan_digest,
        verdict=Verdict.APPROVE,
        actions=tuple(actions or ()),
        rejecting=tuple(reject or ()),
        edits=edits or {},
        comment=comment,
    )


def rejection(repair_id: str, plan_digest: str, actions: list[str] | None, comment: str) -> Wanted:
    """A rejection."""
    return Wanted(
        repair_id=repair_id,
        plan_digest=plan_digest,
        verdict=Verdict.REJECT,
        actions=tuple(actions or ()),
        edits={},
        comment=comment,
    )
