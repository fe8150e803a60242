"""A message in words: as plain text, and as the document that the HTML of a mail is made from. Pure."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from daper.adapters.reports.actions import Proposed, proposed_table
from daper.core.ids import DEFAULT_DOMAIN, agent_command
from daper.core.lines import HEADING, LABELS, FieldLine, LineKind, Piece, Voice
from daper.core.links import disarmed
from daper.core.notices import ActionLine, GroupLine, Notice, Occasion, ToldLine
from daper.core.text import counted, visible
from daper.documents.blocks import (
    LONGEST_COMMAND,
    LONGEST_PROSE,
    LONGEST_TEXT,
    CheckList,
    Commands,
    Document,
    Facts,
    Paragraph,
    Span,
    Style,
    Table,
)
from daper.documents.cells import cell, code, facts, section, text

LONGEST_SUBJECT = 150
LONGEST_DECIDE = 2000  # of a link that decides, which a cut would spoil
DECIDE = "decide, once and within 15 minutes"


@dataclass(frozen=True)
class Command:
    """A command line to copy, and what it does."""

    line: str
    does: str


def subject(message: Notice) -> str:
    """One line, short, in which nothing is hidden: no text of a record makes a header of its own."""
    return f"daper: {visible(message.headline, longest=LONGEST_SUBJECT)}"


def commands(message: Notice) -> tuple[Command, ...]:
    """What the reader may do now. None of them decides anything unseen: `approve` shows the plan first, and asks."""
    named = shlex.quote(message.subject_id)
    match message.event:
        case Occasion.PLAN_WAITS | Occasion.PLAN_STILL_WAITS:
            return (
                Command(f"daper repair show {named}", "the whole plan"),
                Command(f"daper repair approve {named}", "shows the plan, and asks; on a terminal"),
                Command(f"daper repair reject {named}", "rejects it; on a terminal it asks first"),
            )
        case Occasion.CYCLES_FAIL:
            return (
                Command(str(agent_command("status", message.domain or DEFAULT_DOMAIN)), "what the agent does"),
                Command("daper doctor", "what is missing"),
            )
        case Occasion.TEST:
            return ()
        case _:
            return (
                Command(f"daper repair show {named}", "how it went"),
                Command(f"daper repair report {named}", "the report"),
            )


def plain_letter(message: Notice, link: str | None, decide: str | None = None) -> str:
    """The message as plain text, in which nothing is a link but ours: to see it, and to `decide`."""
    return "\n".join(_lines(message, link, decide)) + "\n"


def _lines(message: Notice, link: str | None, decide: str | None) -> Iterator[str]:
    yield _plain(message.headline)
    if message.reason:
        yield _plain(message.reason, longest=LONGEST_PROSE)
    yield ""
    yield from (f"{name}: {_plain(value, longest=LONGEST_COMMAND)}" for name, value in _facts(message))
    yield from (f"see: {each}" for each in _shown(link))
    yield from (f"{DECIDE}: {each}" for each in _shown(decide, LONGEST_DECIDE))
    if problems := _problems(message):
        yield from ("", f"What is wrong ({counted(message.problems, 'problem')}):")
        yield from _items(problems, message.problems)
    if message.action_lines:
        yield from ("", f"What would be done ({counted(message.actions, 'action')}):")
        yield from _actions(message)
    if message.left_lines:
        yield from ("", f"{_left(message)}:")
        yield from _items(message.left_lines, message.left)
    if message.alone_lines:
        yield from ("", "Not acted on:")
        yield from _items(message.alone_lines, message.alone)
    if found := commands(message):
        yield from ("", "What you can do:")
        yield from (f"  {command.line}    # {command.does}" for command in found)


def _plain(text: str, *, longest: int = LONGEST_TEXT) -> str:
    return disarmed(visible(text, longest=longest))


def _shown(link: str | None, longest: int = LONGEST_COMMAND) -> tuple[str, ...]:
    """Where the repair can be seen, or nothing."""
    return (visible(link, longest=longest),) if link else ()


def _problems(message: Notice) -> tuple[str, ...]:
    """What is wrong, where no action tells which problem it answers."""
    return () if message.action_lines else message.problem_lines


def _items(lines: list[str] | tuple[str, ...], of: int) -> Iterator[str]:
    yield from (f"  - {_plain(line)}" for line in lines)
    yield from _rest(of, len(lines))


def _rest(of: int, shown: int) -> Iterator[str]:
    if of > shown:
        yield f"  - and {of - shown:,} more"


def _actions(message: Notice) -> Iterator[str]:
    for action in _alone(message):
        yield from _action(action)
    for group in message.groups:
        yield from _group(group)
    yield from _rest(message.actions, _shown_actions(message))


def _alone(message: Notice) -> tuple[ActionLine, ...]:
    """The actions that no group tells."""
    return tuple(action for action in message.action_lines if not action.alike)


def _shown_actions(message: Notice) -> int:
    return len(_alone(message)) + sum(group.actions for group in message.groups)


def _group(group: GroupLine) -> Iterator[str]:
    heading = ", ".join(f"{line.label} {line.text}" for line in group.told if line.kind in HEADING)
    yield _plain(f"  - {group.ids}: {group.heading}: {heading}", longest=LONGEST_PROSE)
    for line in group.told:
        if line.kind not in HEADING:
            yield _plain(f"      {line.label}: {line.text}", longest=LONGEST_PROSE)
    for row in group.rows:
        own = "; ".join(f"{line.label}: {line.text}" for line in row.told)
        own += f"; and {counted(row.untold, 'more field')}" if row.untold else ""
        yield _plain(f"      {row.id} {row.record}{': ' if own else ''}{own}", longest=LONGEST_PROSE)
    if group.more:
        yield f"      and {group.more:,} more, each for a record of its own"


def _action(action: ActionLine) -> Iterator[str]:
    lines = _fields(action)
    heading = ", ".join(f"{line.label} {line.text}" for line in lines if line.kind in HEADING[1:])
    yield _plain(f"  - {action.id} {action.tool} for {action.record}: {heading}", longest=LONGEST_PROSE)
    for line in lines:
        if line.kind not in HEADING:
            yield _plain(f"      {line.label}: {line.text}", longest=LONGEST_PROSE)
    if action.untold:
        yield f"      and {counted(action.untold, 'more field')}"


def _fields(action: ActionLine) -> tuple[ToldLine, ...]:
    """The fields of an action; of a message that an earlier version of daper wrote, what that told of them."""
    told = {
        LineKind.TOOL: action.tool,
        LineKind.RISK: action.risk,
        LineKind.CHANGE: action.does,
        LineKind.SPENDS: action.spends,
    }
    return action.told or tuple(
        ToldLine(kind=kind, label=LABELS[kind], text=said) for kind, said in told.items() if said
    )


def _left(message: Notice) -> str:
    return "What failed" if message.event is Occasion.CYCLES_FAIL else "Left for a person"


def _facts(message: Notice) -> list[tuple[str, str]]:
    counts = message.counts
    numbers = f"{counts.problems} found, {counts.applied} of {counts.proposed} actions done, {counts.repaired} repaired"
    numbers += f", {counts.suppressed} left alone" if counts.suppressed else ""
    rows = [
        *((line.label, line.text) for line in message.head.lines()),
        ("problems", numbers if message.event.ends else str(message.problems or "")),
        ("phase", message.phase),
        ("domain", message.domain),
        ("requested by", message.user),
        (
            "agent" if message.event is Occasion.CYCLES_FAIL else "repair",
            "" if _is_test(message) else message.subject_id,
        ),
    ]
    return [(name, visible(value, longest=LONGEST_COMMAND)) for name, value in rows if value]


def _is_test(message: Notice) -> bool:
    return message.event is Occasion.TEST


def letter_document(message: Notice, link: str | None, decide: str | None = None) -> Document:
    """The message as a document, for HTML."""
    return Document(
        title=message.headline,
        repair_id=message.subject_id,
        made_at=message.at,
        summary=text(message.reason, longest=LONGEST_PROSE) or text(message.headline),
        state=code(message.event),
        about=_about(message, link, decide),
        sections=(
            *section(
                f"What is wrong ({counted(message.problems, 'problem')})",
                *(Paragraph(text(line)) for line in _problems(message)),
                _more(message.problems, len(_problems(message))),
            ),
            *section(
                f"What would be done ({counted(message.actions, 'action')})",
                _table(message),
                _more(message.actions, _shown_actions(message)),
            ),
            *section(
                _left(message),
                CheckList(tuple(map(text, message.left_lines))) if message.left_lines else None,
                _more(message.left, len(message.left_lines)),
            ),
            *section(
                "Not acted on",
                *(Paragraph(text(line)) for line in message.alone_lines),
                _more(message.alone, len(message.alone_lines)),
            ),
            *section("What you can do", *_commands(message)),
        ),
    )


def _about(message: Notice, link: str | None, decide: str | None) -> Facts:
    rows = [(name, cell(text(value, longest=LONGEST_COMMAND))) for name, value in _facts(message)]
    rows += [("see", cell((Span(each, Style.ADDRESS, LONGEST_COMMAND),))) for each in _shown(link)]
    decides = _shown(decide, LONGEST_DECIDE)
    return facts([*rows, *((DECIDE, cell((Span(each, Style.ADDRESS, LONGEST_DECIDE),))) for each in decides)])


def _more(of: int, shown: int) -> Paragraph | None:
    return Paragraph(text(f"and {of - shown:,} more")) if shown and of > shown else None


def _table(message: Notice) -> Table | None:
    alone = [
        Proposed(action_id=each.id, about=each.record, lines=_worded(_fields(each)), untold=each.untold)
        for each in _alone(message)
    ]
    return proposed_table([*alone, *(row for group in message.groups for row in _rows(group))])


def _rows(group: GroupLine) -> Iterator[Proposed]:
    """The group, and below it the first of it, each with what it alone has."""
    heading = ToldLine(kind=LineKind.TOOL, label=LABELS[LineKind.TOOL], text=group.heading)
    more = f"{group.more:,} of them have no row here" if group.more else ""
    yield Proposed(action_id=group.ids, about=more, lines=_worded((heading, *group.told)))
    yield from (
        Proposed(action_id=row.id, about=row.record, lines=_worded(row.told), untold=row.untold) for row in group.rows
    )


def _worded(lines: Sequence[ToldLine]) -> list[FieldLine]:
    return [FieldLine(line.kind, line.label, (Piece(line.text, Voice.TEXT),)) for line in lines]


def _commands(message: Notice) -> Iterator[Paragraph | Commands]:
    for command in commands(message):
        yield Paragraph((Span(command.line, Style.CODE, LONGEST_COMMAND), *text(f" ({command.does})")))
