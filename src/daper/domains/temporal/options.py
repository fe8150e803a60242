"""What is set of the domain, checked: one line for each value that is wrong, with what would be right."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import accumulate
from typing import Final

from daper.core.errors import SettingError
from daper.core.spans import parse_span
from daper.core.text import shown

PREFIX: Final = "DAPER_TEMPORAL_"
EVERY: Final = "*"
ANY_TYPE: Final = "*"

_ELSEWHERE: Final = (
    "address",
    "namespace",
    "api_key",
    "profile",
    "config_file",
    "tls",
    "tls_server_name",
    "tls_server_ca_cert_path",
    "tls_client_cert_path",
    "tls_client_key_path",
)
_TEXTS: Final = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""", re.DOTALL)
_COMMENT: Final = re.compile(r"/\*|--|#")
_QUOTE: Final = re.compile("[\"'`]")
_CLAUSE: Final = re.compile(r"\b(?:order\s+by|group\s+by|limit)\b", re.IGNORECASE)
_KIND: Final = re.compile(r"[a-z]+(-[a-z]+)*")
_TOOL: Final = re.compile(r"[a-z]+(_[a-z]+)*")


@dataclass(frozen=True, kw_only=True)
class TemporalOptions:
    """The options of the domain. `place`: what is set of the connection, by the last part of its official variable.

    `too_long`: how long a workflow of a type may run; `fixes`: the tool for a kind of problem, and of a type of
    workflow or of any.
    """

    query: str
    place: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    calls_per_second: int = 250
    retrying_attempts: int = 10
    retrying_after: timedelta = timedelta(hours=1)
    paused_after: timedelta = timedelta(days=1)
    failed_within: timedelta = timedelta(days=7)
    failure_types: frozenset[str] = frozenset()
    too_long: Mapping[str, timedelta] = field(default_factory=dict[str, timedelta])
    signals: str = ""
    fixes: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    hide: frozenset[str] = frozenset()
    database_url: str = field(default="", repr=False)

    def longest(self, workflow_type: str) -> timedelta | None:
        """How long a workflow of a type may run; None: as long as it likes."""
        return self.too_long.get(workflow_type, self.too_long.get(ANY_TYPE))

    def fix(self, kind: str, workflow_type: str) -> str | None:
        """The tool that is set for a kind of problem of a type of workflow; None: the usual one."""
        return self.fixes.get((kind, workflow_type), self.fixes.get((kind, ANY_TYPE)))


def options_of(values: Mapping[str, str]) -> TemporalOptions:
    """The options as they are set. Raises SettingError for one that is wrong."""
    return TemporalOptions(
        query=_query(values["query"]),
        place={name: values[name] for name in _ELSEWHERE if values.get(name)},
        calls_per_second=_number(values, "calls_per_second", most=10_000),
        retrying_attempts=_number(values, "retrying_attempts", most=1_000_000),
        retrying_after=_span("retrying_after", values["retrying_after"]),
        paused_after=_span("paused_after", values["paused_after"]),
        failed_within=_span("failed_within", values["failed_within"]),
        failure_types=frozenset(_listed(values["failure_types"])),
        too_long={name: _span("too_long", text) for name, text in _pairs(values, "too_long", "OrderWorkflow=2h")},
        signals=values["signals"].strip(),
        fixes=dict(_fix(name, tool) for name, tool in _pairs(values, "fixes", "too-long=cancel_workflow")),
        hide=frozenset(_listed(values["hide"])),
        database_url=values["database_url"],
    )


def _query(text: str) -> str:
    """A filter that can be joined with others by AND; "" for all."""
    found = text.strip()
    bare = _TEXTS.sub("", found)
    if clause := _CLAUSE.search(bare):
        raise SettingError(
            f"{PREFIX}QUERY has {clause[0].upper()}, {shown(found)!r}; leave it out: it is joined with other conditions"
        )
    if _QUOTE.search(bare):
        raise SettingError(f"{PREFIX}QUERY is {shown(found)!r}; it has a quote that nothing closes")
    if _COMMENT.search(bare):
        raise SettingError(f"{PREFIX}QUERY is {shown(found)!r}; it has a comment: leave it out")
    depths = accumulate({"(": 1, ")": -1}.get(char, 0) for char in bare)
    if any(depth < 0 for depth in depths) or bare.count("(") != bare.count(")"):
        raise SettingError(f"{PREFIX}QUERY is {shown(found)!r}; its parentheses do not match")
    return "" if found == EVERY else found


def _number(values: Mapping[str, str], name: str, *, most: int) -> int:
    text = values[name].strip()
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= most:
        raise SettingError(f"{PREFIX}{name.upper()} is {shown(text)!r}; it must be a whole number from 1 to {most:,}")
    return int(text)


def _span(name: str, text: str) -> timedelta:
    span = parse_span(text.strip())
    if span is None:
        raise SettingError(
            f"{PREFIX}{name.upper()} has {shown(text)!r}; it must be a length of time, as 30m, 12h or 2d"
        )
    return span


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _pairs(values: Mapping[str, str], name: str, example: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for each in _listed(values[name]):
        left, equals, right = (part.strip() for part in each.rpartition("="))
        if not (left and equals and right):
            raise SettingError(f"{PREFIX}{name.upper()} has {shown(each)!r}; it must be as {example!r}")
        if left in dict(found):
            raise SettingError(f"{PREFIX}{name.upper()} names {shown(left)!r} twice; leave one of them out")
        found.append((left, right))
    return found


def _fix(name: str, tool: str) -> tuple[tuple[str, str], str]:
    kind, _, workflow_type = name.partition("@")
    if not _KIND.fullmatch(kind) or not _TOOL.fullmatch(tool):
        raise SettingError(f"{PREFIX}FIXES has {shown(f'{name}={tool}')!r}; it must be as 'too-long=cancel_workflow'")
    return (kind, workflow_type or ANY_TYPE), tool
