"""A message in words: as plain text, and as the document that the HTML of a mail is made from. Pure."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from daper.core.telling import ActionLine, Event, Message
from daper.core.text import counted, visible
from daper.documents.blocks import (
    LONGEST_COMMAND,
    LONGEST_PROSE,
    CheckList,
    Column,
    Commands,
    Document,
    Facts,
    Line,
    Paragraph,
    Part,
    Span,
    Style,
    Table,
)
from daper.documents.cells import cell, code, facts, section, text

LONGEST_SUBJECT = 150

_COLUMNS = (
    Column("action", 0),
    Column("record", 0),
    Column("tool", 1),
    Column("what it does", 1),
    Column("risk", 2, "risk"),
    Column("spends", 2, "spends"),
    Column("doubts", 2, "doubts"),
)
_PARTS = (Part("action", 35), Part("what it does", 45), Part("how risky", 20))


@dataclass(frozen=True)
class Command:
    """A command line to copy, and what it does."""

    line: str
    does: str


def subject(message: Message) -> str:
    """One line, short, in which nothing is hidden: no text of a record makes a header of its own."""
    return f"daper: {visible(message.headline, longest=LONGEST_SUBJECT)}"


def commands(message: Message) -> tuple[Command, ...]:
    """What the reader may do now. None of them decides anything unseen: `approve` shows the plan first, and asks."""
    named = shlex.quote(message.subject_id)
    match message.event:
        case Event.PLAN_WAITS | Event.PLAN_STILL_WAITS:
            return (
                Command(f"daper repair show {named}", "the whole plan"),
                Command(f"daper repair approve {named}", "shows the plan, and asks; on a terminal"),
                Command(f"daper repair reject {named}", "rejects it; on a terminal it asks first"),
            )
        case Event.CYCLES_FAIL:
            return (
                Command("daper proactive status", "what the agent does"),
                Command("daper doctor", "what is missing"),
            )
        case Event.TEST:
            return ()
        case _:
            return (
                Command(f"daper repair show {named}", "how it went"),
                Command(f"daper repair report {named}", "the report"),
            )


def plain(message: Message, link: str | None) -> str:
    """The message as plain text."""
    return "\n".join(_lines(message, link)) + "\n"


def _lines(message: Message, link: str | None) -> Iterator[str]:
    yield visible(message.headline)
    if message.reason:
        yield visible(message.reason, longest=LONGEST_PROSE)
    yield ""
    yield from (f"{name}: {value}" for name, value in _facts(message, link))
    if message.problem_lines:
        yield from ("", f"What is wrong ({counted(message.problems, 'problem')}):")
        yield from _items(message.problem_lines, message.problems)
    if message.action_lines:
        yield from ("", f"What would be done ({counted(message.actions, 'action')}):")
        yield from _items([_in_words(action) for action in message.action_lines], message.actions)
    if message.left_lines:
        yield from ("", f"{_left(message)}:")
        yield from _items(message.left_lines, message.left)
    if found := commands(message):
        yield from ("", "What you can do:")
        yield from (f"  {command.line}    # {command.does}" for command in found)


def _items(lines: list[str] | tuple[str, ...], of: int) -> Iterator[str]:
    yield from (f"  - {visible(line)}" for line in lines)
    if of > len(lines):
        yield f"  - and {of - len(lines):,} more"


def _in_words(action: ActionLine) -> str:
    does = f": {action.does}" if action.does else ""
    doubts = f", {counted(action.doubts, 'doubt')}" if action.doubts else ""
    return f"{action.id} {action.tool} for {action.record}{does} (risk {action.risk}, spends {action.spends}{doubts})"


def _left(message: Message) -> str:
    return "What failed" if message.event is Event.CYCLES_FAIL else "Left for a person"


def _facts(message: Message, link: str | None) -> list[tuple[str, str]]:
    counts = message.counts
    numbers = f"{counts.problems} found, {counts.applied} of {counts.proposed} actions done, {counts.repaired} repaired"
    numbers += f", {counts.suppressed} left alone" if counts.suppressed else ""
    rows = [
        ("decide until", f"{message.decide_by:%Y-%m-%d %H:%M} UTC" if message.decide_by else ""),
        ("spends in all", message.spends),
        ("problems", numbers if message.event.ends else str(message.problems or "")),
        ("phase", message.phase),
        ("domain", message.domain),
        ("requested by", message.user),
        ("agent" if message.event is Event.CYCLES_FAIL else "repair", "" if _is_test(message) else message.subject_id),
        ("see", link or ""),
    ]
    return [(name, visible(value, longest=LONGEST_COMMAND)) for name, value in rows if value]


def _is_test(message: Message) -> bool:
    return message.event is Event.TEST


def document(message: Message, link: str | None) -> Document:
    """The message as a document, for HTML."""
    return Document(
        title=message.headline,
        repair_id=message.subject_id,
        made_at=message.at,
        summary=text(message.reason, longest=LONGEST_PROSE) or text(message.headline),
        state=code(message.event),
        about=_about(message, link),
        sections=(
            *section(
                f"What is wrong ({counted(message.problems, 'problem')})",
                *(Paragraph(text(line)) for line in message.problem_lines),
                _more(message.problems, len(message.problem_lines)),
            ),
            *section(
                f"What would be done ({counted(message.actions, 'action')})",
                _table(message),
                _more(message.actions, len(message.action_lines)),
            ),
            *section(
                _left(message),
                CheckList(tuple(map(text, message.left_lines))) if message.left_lines else None,
                _more(message.left, len(message.left_lines)),
            ),
            *section("What you can do", *_commands(message)),
        ),
    )


def _about(message: Message, link: str | None) -> Facts:
    return facts([(name, cell(text(value, longest=LONGEST_COMMAND))) for name, value in _facts(message, link)])


def _more(of: int, shown: int) -> Paragraph | None:
    return Paragraph(text(f"and {of - shown:,} more")) if shown and of > shown else None


def _table(message: Message) -> Table | None:
    if not message.action_lines:
        return None
    rows = tuple(
        tuple(map(cell, (code(each.id), text(each.record), code(each.tool), text(each.does), *_risks(each))))
        for each in message.action_lines
    )
    return Table(columns=_COLUMNS, parts=_PARTS, rows=rows)


def _risks(action: ActionLine) -> tuple[Line, Line, Line]:
    return text(action.risk), text(action.spends), text(action.doubts or "")


def _commands(message: Message) -> Iterator[Paragraph | Commands]:
    for command in commands(message):
        yield Paragraph((Span(command.line, Style.CODE, LONGEST_COMMAND), *text(f" ({command.does})")))
