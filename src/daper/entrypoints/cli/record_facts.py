"""`daper records tell`: what has happened to a record outside, written down once."""

from collections.abc import Iterator
from datetime import datetime
from shlex import quote
from typing import Annotated

from cyclopts import Parameter

from daper.adapters.privacy import make_private
from daper.bootstrap import open_facts
from daper.core.facts import FactAnswer
from daper.core.names import asked_for
from daper.core.text import visible
from daper.entrypoints.cli.decision import As
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say
from daper.entrypoints.cli.parameters import NONE, Json, Names, said_right
from daper.entrypoints.cli.questions import DOOR, who_asks
from daper.entrypoints.cli.runner import run_to_end
from daper.ports import Telling
from daper.service.facts import arguments_in
from daper.settings import Part, load_settings

_Argument = Annotated[str | None, Parameter(show_default=False)]


def tell(
    record_id: str,
    fact: str,
    *,
    item: _Argument = None,
    quantity: _Argument = None,
    argument: Names = NONE,
    at: _Argument = None,
    by: _Argument = None,
    key: _Argument = None,
    as_name: As = None,
    domain: str | None = None,
    as_json: Json = False,
) -> int:
    """Say what has happened to a record, which no tool can do: daper records tell ORD-001-HJP paid

    For orders: paid, approved, delivered (all that is outstanding, or --quantity of --item), cancelled. It is written
    into the record, its stock and the ledger in one change, with who told it and when. The same again is already known,
    and changes nothing. What cannot be so is refused with the reason: more than was ordered, a payment of what is
    cancelled, a time that is still to come.

    A plan that waits and was made before is stale. Proactive agents of these records look at once. Event-driven agents
    are not told: they repair what is reported to be wrong, and a fact is no such report.

    Exit codes: 0 written down, or already known; 1 refused; 2 the command line does not say enough.

    Parameters
    ----------
    record_id
        As `records list` shows it.
    fact
        What has happened: a word that the domain knows.
    item
        Of which item of the order.
    quantity
        How many of it.
    argument
        What else belongs to the fact, as NAME=VALUE; may be given several times.
    at
        When it happened, with its time zone: 2026-11-29T14:30:00Z. Now, if not given.
    by
        From whom it comes, if not from you: the bank, the supplier; of an approval, whoever approved.
    key
        A name for this telling: the same key again is the same telling, and another key another one.
    as_name
        Tell it under this name; it is recorded as claimed.
    domain
        Which records; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.DATABASE, *(() if as_name else (Part.USER,))})
    make_private(settings.home)
    service, name = open_facts(settings), settings.domain_or(domain)
    happened, known = _moment(at), service.facts(name).get(fact)
    with said_right():
        arguments, source = arguments_in(known, item=item, quantity=quantity, others=argument, source=by or "")
        telling = Telling(
            record_id=record_id,
            fact=fact,
            arguments=arguments,
            happened_at=happened,
            by=who_asks(settings, claimed=as_name),
            door=DOOR,
            source=source,
            request_key=key or "",
        )
    answer = run_to_end(service.tell(name, telling), temporal=False)
    if as_json:
        print_json(answer)
        return Exit.OK
    screen = console()
    for line in lines_of(answer, domain="" if domain is None else name):
        say(screen, line)
    return Exit.OK


def _in(domain: str) -> str:
    return f" --domain {quote(domain)}" if domain else ""


def lines_of(answer: FactAnswer, *, domain: str = "") -> Iterator[str]:
    """What came of it, line by line. `domain`: of the record, where that has to be said."""
    told = answer.told
    yield f"{told.record_id} {told.fact}: {'already known; nothing was changed' if answer.known else 'written down'}"
    yield from (f"  {line}" for line in answer.evidence)
    for name, after in answer.after.items() if not answer.known else ():
        before = answer.before.get(name)
        yield f"  {name}: {before} → {after}" if before != after else f"  {name}: stays {after}"
    problems = ", ".join(dict.fromkeys(each.kind for each in answer.problems))
    yield f"  problems now: {problems or 'none'}"
    if answer.problems and not answer.agents:
        again = asked_for("--record", told.record_id)
        yield f"  no agent looks at it by itself; to have it repaired: daper repair start {again}{_in(domain)}"
    for number in answer.unsent:
        yield f"  a message that asks for it was not sent, and need not be any more: daper records outbox {number}"
    if answer.agents:
        yield f"  told, so that they look at once: {', '.join(answer.agents)}"
    if answer.unheard:
        yield f"  no agent was told of it: {visible(answer.unheard)}"


def _moment(at: str | None) -> datetime | None:
    if at is None:
        return None
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        raise UsageError(f"--at {at!r} is no time; write it as 2026-11-29T14:30:00Z") from None
