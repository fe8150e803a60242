"""What a model is shown of records: compact, one line each, unable to pass for anything but data."""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import cast

from pydantic import JsonValue

from daper.core.models import Finding
from daper.core.text import visible
from daper.ports import Briefing, Domain, Guide, Work

LONGEST_TEXT = 300  # of one field of a record
DEEPEST = 6
MOST_MEMBERS = 50  # of one list or object in a record
CHARACTERS_PER_TOKEN = 3.5  # of English words and JSON, about; batches are cut by it, nothing is charged by it
MOST_PER_BATCH = 25


def compact(value: object, *, depth: int = 0) -> JsonValue:
    """A value without what says nothing: no empty fields, nothing hidden, long texts cut, deep ones left out."""
    if isinstance(value, str):
        return visible(value, longest=LONGEST_TEXT)
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float | Decimal):
        return float(value)
    if depth >= DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        # A JSON object of any shape.
        members = cast("Mapping[object, object]", value)
        found = {
            visible(key, longest=60): compact(each, depth=depth + 1)
            for key, each in list(members.items())[:MOST_MEMBERS]
        }
        return {key: each for key, each in found.items() if each not in (None, "", [], {})}
    if isinstance(value, list | tuple):
        # A JSON list of any shape.
        return [compact(each, depth=depth + 1) for each in list(cast("Sequence[object]", value))[:MOST_MEMBERS]]
    return visible(value, longest=LONGEST_TEXT)


def guide_of(domain: Domain, findings: Sequence[Finding] = ()) -> Guide:
    """What the domain says of itself; for one that says nothing, its name, its tools' words, the kinds found here."""
    if isinstance(domain, Briefing):
        return domain.guide()
    return Guide(
        about=f"The records are those of the domain {domain.name!r}.",
        kinds={finding.kind: "" for finding in findings},
        tools={name: (tool.__doc__ or "").strip().partition("\n")[0] for name, tool in domain.tools.items()},
    )


def brief_lines(work: Work) -> dict[str, str]:
    """Each record of the work in one line of JSON."""
    if isinstance(work.domain, Briefing):
        briefs = work.domain.brief(work.records)
    else:
        briefs = {record.record_id: {"record": record.data} for record in work.records}
    return {
        record_id: line({"record_id": record_id} | {name: compact(value) for name, value in briefs[record_id].items()})
        for record_id in work.record_ids
    }


def finding_lines(findings: Iterable[Finding]) -> list[str]:
    """Findings, one line each."""
    return [
        line(
            {
                "record_id": finding.record_id,
                "kind": finding.kind,
                "found_by": visible(finding.found_by, longest=100),
                "issue": visible(finding.issue, longest=LONGEST_TEXT),
                "evidence": [visible(each, longest=LONGEST_TEXT) for each in finding.evidence[:3]],
            }
        )
        for finding in findings
    ]


def line(value: Mapping[str, JsonValue]) -> str:
    """One line of JSON in which no tag can be opened or closed."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e")


def tokens(text: str) -> int:
    """About how many tokens a text has: a character outside ASCII counts as a token."""
    plain = sum(char.isascii() for char in text)
    return int(plain / CHARACTERS_PER_TOKEN) + len(text) - plain + 1


def batches(lines: Mapping[str, str], *, budget: int) -> tuple[tuple[str, ...], ...]:
    """The records in batches of at most `budget` tokens and 25 records; one that is larger alone is a batch alone."""
    made: list[list[str]] = []
    left = 0
    for record_id, text in lines.items():
        weight = tokens(text)
        if not made or weight > left or len(made[-1]) >= MOST_PER_BATCH:
            made.append([])
            left = budget
        made[-1].append(record_id)
        left -= weight
    return tuple(map(tuple, made))
