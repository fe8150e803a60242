"""The tool with which a person says what has happened to a record: they confirm it in a form, as they do a decision."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final

from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation, DeclinedElicitation
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.server.mcpserver.tools import Tool
from pydantic import Field

from daper.core.access import Access
from daper.core.commands import CommandLine, Said
from daper.core.decisions import who
from daper.core.errors import FactRefused
from daper.core.facts import FactAnswer
from daper.core.models import Confirmation
from daper.core.text import quotable, visible
from daper.entrypoints.mcp import forms
from daper.entrypoints.mcp.answers import FactTold
from daper.entrypoints.mcp.deciding import unconfirmed
from daper.entrypoints.mcp.decision_tools import AskingTool, asking
from daper.entrypoints.mcp.door import NAME, Door, told
from daper.entrypoints.mcp.open_forms import PATIENCE_S, NotShown, shown
from daper.entrypoints.mcp.presentation import visible_answer
from daper.entrypoints.mcp.record_tools import RecordId
from daper.entrypoints.mcp.tools import STOPS, Domain, tool
from daper.ports import Telling
from daper.settings import ChatApproval

FACT: Final = "fact"
"""By which name its form, and the answer to that, go over the wire."""

_LONGEST: Final = 200


class _Seen(forms.Heard):
    """What a person said, or that nobody had to be asked; and what it came to when they were."""

    foreseen: FactAnswer


_Answer = AcceptedElicitation[forms.Confirm | forms.Heard] | DeclinedElicitation | CancelledElicitation
_FactName = Annotated[str, Field(min_length=1, max_length=40, description="paid, approved, delivered or cancelled.")]
_Item = Annotated[str, Field(max_length=_LONGEST, description="Delivered: which item; blank for all outstanding.")]
_Quantity = Annotated[int | None, Field(ge=0, description="Delivered: how many of it; 0 for all.")]
_Source = Annotated[str, Field(max_length=_LONGEST, description="From whom it comes; who approved.")]
_At = Annotated[str, Field(max_length=60, description="When it happened, with its zone: 2026-11-29T14:30:00Z.")]
_Others = Annotated[
    list[Annotated[str, Field(max_length=_LONGEST)]] | None,
    Field(max_length=20, description="For other domains: NAME=VALUE."),
]


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A fact as a client relays it, before anybody confirmed it."""

    record_id: str
    fact: str
    item: str = ""
    quantity: int | None = None
    source: str = ""
    at: str = ""
    arguments: tuple[str, ...] = ()
    domain: str = ""

    @property
    def in_a_terminal(self) -> Said:
        """The way that is always open."""
        # What begins with - would be read as an option.
        named = self.record_id.startswith("-")
        words = ["records", "tell", *((f"--record-id={self.record_id}", "--fact") if named else (self.record_id,))]
        words.append(self.fact)
        given = {
            "--item": self.item,
            "--quantity": "" if self.quantity is None else str(self.quantity),
            "--by": self.source,
            "--at": self.at,
            "--domain": self.domain,
        }
        for option, value in given.items():
            words += [option, value] if value else []
        for each in self.arguments:
            words += ["--argument", each]
        return Said("The person can say it in a terminal: ", CommandLine(*words))


def telling_tools(door: Door, confirms: ChatApproval) -> list[Tool]:
    """The tool. `confirms`: who, in a form or not."""
    relaying = _Relaying(door, confirms)

    @told(door)
    async def ask_to_tell(
        record_id: str,
        fact: str,
        item: str,
        quantity: int | None,
        source: str,
        at: str,
        arguments: list[str] | None,
        domain: str,
        ctx: Context,
    ) -> Elicit[forms.Confirm] | forms.Heard:
        return await relaying.ask(_wanted(record_id, fact, item, quantity, source, at, arguments, domain), ctx)

    async def tell_record(
        record_id: RecordId,
        fact: _FactName,
        answer: Annotated[_Answer, Resolve(ask_to_tell)],
        item: _Item = "",
        quantity: _Quantity = None,
        source: _Source = "",
        at: _At = "",
        arguments: _Others = None,
        domain: Domain = "",
    ) -> FactTold:
        """Write down what has happened to a record outside, because the person said so: an order was paid, delivered.

        The person is asked to confirm in a form, where the client can show one. The same again is already known. Not
        for what a repair does, and never for what only a text in a record says.
        """
        wanted = _wanted(record_id, fact, item, quantity, source, at, arguments, domain)
        return await relaying.settle(wanted, answer)

    made = tool(door, tell_record, title="Tell what has happened to a record", hints=STOPS, kind=_TellingTool)
    return [asking(door, FACT, made)]


class _TellingTool(AskingTool):
    def wanted(self, arguments: dict[str, Any]) -> _Wanted:  # Any: as a client sent them
        """What is to be told."""
        return _wanted(**self.fn_metadata.validate_arguments(arguments))


def _wanted(
    record_id: str,
    fact: str,
    item: str = "",
    quantity: int | None = None,
    source: str = "",
    at: str = "",
    arguments: list[str] | None = None,
    domain: str = "",
) -> _Wanted:
    return _Wanted(
        record_id=record_id,
        fact=fact,
        item=item,
        quantity=quantity or None,
        source=source,
        at=at,
        arguments=tuple(arguments or ()),
        domain=domain,
    )


class _Relaying:
    """Tells as a client relays it, once the person has confirmed it."""

    def __init__(self, door: Door, approval: ChatApproval) -> None:
        self._door = door
        self._trusted = approval is ChatApproval.CLIENT

    async def ask(self, wanted: _Wanted, ctx: Context) -> Elicit[forms.Confirm] | forms.Heard:
        """Have the person asked, with what would change; not of what is known, or where the client is trusted."""
        telling, domain = await self._telling(wanted, Confirmation.FORM)
        foreseen = await (await self._door.facts()).foresee(domain, telling)
        if self._trusted:
            return forms.UNCONFIRMED
        if foreseen.known:
            return _Seen(confirmed=Confirmation.UNCONFIRMED, foreseen=foreseen)
        if not forms.can_show_forms(ctx):
            raise FactRefused(unconfirmed(wanted, "cannot show the person a form"))
        question = _question(telling, foreseen, timed=bool(wanted.at))
        if forms.are_answers(ctx):
            return Elicit(question, forms.Confirm)
        try:
            heard = await shown(ctx, question, within=PATIENCE_S)
            return _Seen(**dict(heard), foreseen=foreseen)
        except NotShown as error:
            raise FactRefused(unconfirmed(wanted, str(error))) from None

    async def settle(self, wanted: _Wanted, answer: _Answer) -> FactTold:
        """Tell it, if the person said so."""
        heard = answer.data if isinstance(answer, AcceptedElicitation) else forms.unseen(answer.action)
        if isinstance(heard, forms.Confirm):
            heard = forms.heard_in(heard)
        if heard.confirmed is None:
            return self._untold(wanted, heard)
        if heard.confirmed is Confirmation.UNCONFIRMED and not self._trusted and not isinstance(heard, _Seen):
            raise FactRefused(unconfirmed(wanted, "did not show the person a form"))
        telling, domain = await self._telling(wanted, heard.confirmed)
        # While a form is open, or before what is known already is told, the record may change.
        telling = replace(telling, shown=heard.foreseen if isinstance(heard, _Seen) else None)
        return _answered(await (await self._door.facts()).tell(domain, telling))

    async def _telling(self, wanted: _Wanted, confirmed: Confirmation) -> tuple[Telling, str]:
        from daper.service.facts import arguments_in

        by = await self._door.caller(Access.TELL)
        domain = self._door.settings.domain_or(wanted.domain)
        facts = (await self._door.facts()).facts(domain)
        arguments, source = arguments_in(
            facts.get(wanted.fact),
            item=wanted.item or None,
            quantity=wanted.quantity,
            others=wanted.arguments,
            source=wanted.source,
        )
        telling = Telling(
            record_id=wanted.record_id,
            fact=wanted.fact,
            arguments=arguments,
            happened_at=_moment(wanted.at),
            by=by,
            door=NAME,
            confirmed=confirmed,
            source=source,
        )
        return telling, domain

    def _untold(self, wanted: _Wanted, heard: forms.Heard) -> FactTold:
        why = f"nothing was written down: {heard.why_not}"
        return visible_answer(
            FactTold(
                record_id=wanted.record_id,
                fact=wanted.fact,
                told=False,
                message=self._door.worded(Said(why, ". ", wanted.in_a_terminal)) if heard.unseen else why,
                next_step="tell the person so, and ask what they want",
            )
        )


def _moment(at: str) -> datetime | None:
    if not at:
        return None
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        raise FactRefused(f"at is {at!r}, which is no time; write it as 2026-11-29T14:30:00Z") from None


def _answered(answer: FactAnswer) -> FactTold:
    return visible_answer(
        FactTold(
            record_id=answer.told.record_id,
            fact=answer.told.fact,
            told=True,
            known=answer.known,
            evidence=answer.evidence,
            problems=tuple(dict.fromkeys(each.kind for each in answer.problems)),
            agents=answer.agents,
            unsent=answer.unsent,
            message="already known; nothing was changed" if answer.known else "written down",
            next_step="tell the person what was written down, and what is wrong with the record now",
        )
    )


def _question(telling: Telling, foreseen: FactAnswer, *, timed: bool) -> str:
    """What the person is asked, word for word: the same as long as the record is the same."""
    return "\n".join(_lines(telling, foreseen, timed=timed))


def _lines(telling: Telling, foreseen: FactAnswer, *, timed: bool) -> Iterator[str]:
    by = quotable(visible(who(telling.by)))
    yield f"Write down that {_quoted(telling.record_id)} is {_quoted(telling.fact)}, as {by}?"
    for name, value in telling.arguments.items():
        yield f"  {quotable(visible(name))}: {_quoted(value)}"
    if telling.source:
        yield f"  from: {_quoted(telling.source)}"
    yield f"  when: {_quoted(foreseen.told.happened_at.isoformat()) if timed else 'now'}"
    yield "It changes:"
    for name, after in foreseen.after.items():
        before = foreseen.before.get(name)
        yield f"  {quotable(visible(name))}: {_quoted(before)}" + (f" → {_quoted(after)}" if before != after else "")
    yield "No plan shows this, and nothing takes it back but a person."


def _quoted(value: object) -> str:
    """As JSON has it, so that text cannot pass for anything else."""
    return quotable(visible(json.dumps(value, ensure_ascii=False), longest=2 * _LONGEST))
