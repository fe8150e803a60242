"""What `daper records import` tells: faults, warnings, what came in, and what to do next."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from daper.core.names import tally
from daper.core.text import counted
from daper.entrypoints.cli.output import say
from daper.entrypoints.cli.records import store_line
from daper.ports import ImportDraft, ImportNote, MergeCounts, Replaced

MOST_TOLD = 50


def say_draft(screen: Console, draft: ImportDraft) -> None:
    """What is wrong with the files, what should be known, and what is in them."""
    for line in _first([_told(note) for note in draft.faults]):
        say(screen, f"fault: {line}")
    for line in _first(_grouped(draft.warnings)):
        say(screen, f"warning: {line}")
    if not draft.faults:
        counts = ", ".join(f"{what.replace('_', ' ')} {count:,}" for what, count in draft.counts.items())
        say(screen, f"in these files: {counts}")
        whose = "problems that the rules find"
        if draft.merge is not None:
            whose += " in the store, once these are in it"
        say(screen, f"{whose}: {tally(draft.problems)} ({counted(draft.suspects, 'record')})")
    if draft.merge is not None:
        _say_merge(screen, draft.merge)


def _say_merge(screen: Console, merge: MergeCounts) -> None:
    parts = [f"{merge.new:,} new", f"{merge.changed:,} changed", f"{merge.same:,} the same"]
    if merge.missing:
        parts.append(f"{merge.missing:,} not in these files, which stay as they are")
    say(screen, f"against the records that are there: {', '.join(parts)}")
    if merge.laid_over:
        say(screen, f"what repairs did is laid over {counted(merge.laid_over, 'record')}, as their facts are the same")
    for line in _first([*merge.said]):
        say(screen, f"changed since: {line}")


def say_outcome(screen: Console, draft: ImportDraft, done: Replaced | None) -> None:
    """What became of an import without faults."""
    if done is None or not done.changed:
        why = "the store has these very records" if _same(draft, done) else "they can be imported"
        say(screen, f"{why}; nothing was changed")
        return
    say(screen, f"{'imported' if draft.merge is None else 'brought up to date'}. {store_line(done.store)}")
    say_backup(screen, done)
    say(screen, "next: daper repair start" if draft.suspects else "next: daper records list")


def say_backup(screen: Console, done: Replaced) -> None:
    """Where that is what was replaced."""
    if done.backup:
        say(screen, f"what was there before is in {done.backup}")


def draft_document(draft: ImportDraft, done: Replaced | None = None) -> dict[str, object]:
    """All of it as the one JSON document of `--json`."""
    return {
        "outcome": _outcome(draft, done),
        "store": done.store.model_dump(mode="json") if done else None,
        "backup": done.backup if done else None,
        "counts": dict(draft.counts),
        "problems": dict(draft.problems),
        "records_with_problems": draft.suspects,
        "merge": asdict(draft.merge) if draft.merge else None,
        "faults": [asdict(note) for note in draft.faults],
        "warnings": [asdict(note) for note in draft.warnings],
    }


def _outcome(draft: ImportDraft, done: Replaced | None) -> str:
    if draft.faults:
        return "refused"
    if _same(draft, done):
        return "same"
    return "imported" if done else "checked"


def _same(draft: ImportDraft, done: Replaced | None) -> bool:
    return draft.same or (done is not None and not done.changed)


def _told(note: ImportNote, *, more: int = 0) -> str:
    where = f"{note.place} " if note.place else ""
    within = [f"in '{note.record}'"] if note.record else []
    within += [f"and {more:,} more such"] if more else []
    return f"{note.file}: {where}{note.message}" + (f" ({', '.join(within)})" if within else "")


def _grouped(notes: Sequence[ImportNote]) -> list[str]:
    """One line for all that is said in the same words of one file: the first place, and how many more."""
    often = Counter((note.file, note.message) for note in notes)
    firsts = {(note.file, note.message): note for note in reversed(notes)}
    return [_told(firsts[key], more=count - 1) for key, count in often.items()]


def _first(lines: list[str]) -> list[str]:
    rest = len(lines) - MOST_TOLD
    return [*lines[:MOST_TOLD], *([f"and {rest:,} more; --json tells them all"] if rest > 0 else [])]
