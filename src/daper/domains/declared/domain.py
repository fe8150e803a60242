"""A domain that a file declares: its records are rows of somebody's own database, and the file may change any time."""

import json
import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from daper.core.cases import CaseSet
from daper.core.errors import SettingError, StoreUnavailable, UserError
from daper.core.models import Finding, Proposal, RecordHead, Scope, StoreInfo
from daper.core.text import said, shown
from daper.domains.declared.binding import PAGE, Declared, declared
from daper.domains.declared.browsing import browse
from daper.domains.declared.cases import CANNOT_JUDGE
from daper.domains.declared.document import (
    RuleSection,
)
from daper.domains.declared.expressions import CannotJudge
from daper.domains.declared.file import Faulty
from daper.domains.declared.http_tool import Variables
from daper.domains.declared.reading import read_file
from daper.domains.declared.record import DeclaredRecord
from daper.domains.declared.tool import DeclaredTool
from daper.domains.declared.wording import filled
from daper.ports.domain import Guide, ProposalSet, Record, RecordPage, Terms, Window, WindowView
from daper.stores.rows import syntax
from daper.stores.rows.values import shown_value
from daper.stores.threads import in_thread


class DeclaredDomain:
    """The domain of the file at `path`, as the file is now: it is looked at again before each use.

    While it cannot be used, whatever needs it raises StoreUnavailable with all that is wrong, and is tried again: no
    file is edited at once. It has no tools then.
    """

    def __init__(self, path: Path, *, variables: Variables) -> None:
        self.path = path
        self.name = path.stem
        self._variables = variables
        self._looking = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._known: Declared | None = None

    def now(self) -> Declared:
        """What the file says now. Raises StoreUnavailable with all that is wrong with it."""
        with self._looking:
            try:
                found = self.path.stat()
                seen = (found.st_mtime_ns, found.st_size, found.st_ino)
                if self._known is None or seen != self._seen:
                    self._known, self._seen = declared(read_file(self.path), self._variables), seen
            except (Faulty, SettingError, syntax.SqlFault) as error:
                self._known = None
                raise StoreUnavailable(f"domain {self.name!r} cannot be used: {error}") from None
            except OSError as error:
                self._known = None
                raise StoreUnavailable(f"domain {self.name!r} cannot be used: {self.path}: {error.strerror}") from None
            return self._known

    @property
    def tools(self) -> Mapping[str, DeclaredTool]:
        """Its repair tools by name; none while its file cannot be used."""
        try:
            return self.now().tools
        except StoreUnavailable:
            return {}

    async def store(self) -> StoreInfo:
        """Which store answers."""
        return await in_thread(lambda: self.now().store.info())

    async def install_cases(self, *, seed: int, per_kind: int = 1, kinds: Collection[str] = ()) -> CaseSet:
        """Fill the database of a shipped file, which must be new; its cases say what is right. Raises UserError."""
        from daper.domains.declared.examples import install_cases  # which few need

        now = self.now()
        return await in_thread(lambda: install_cases(now.file, now.store, kinds=kinds))

    async def scan(self, scope: Scope, page: str | None = None) -> RecordPage:
        """At most 500 records in scope, in the order of their keys. Raises UserError for a page never given out."""
        return await in_thread(self._scan, scope, page)

    async def browse(self, scope: Scope, window: Window) -> WindowView:
        """Some of the records with the scope's status, from any one on, or those with a text."""
        return await in_thread(lambda: browse(self.now(), scope, window))

    async def context(self, record_ids: Sequence[str]) -> tuple[Record, ...]:
        """The named records, also those that have left the scope. Unknown ids are left out."""
        return await in_thread(self._context, tuple(dict.fromkeys(record_ids)))

    async def count_open(self, scope: Scope) -> int:
        """How many records are in scope."""
        if scope.record_ids or scope.status is not None or scope.partition is not None:
            counted, page = 0, None
            while True:
                found = await self.scan(scope, page)
                counted, page = counted + len(found.records), found.next_page
                if page is None:
                    return counted
        return await in_thread(self._count)

    def head(self, record: Record) -> RecordHead | None:
        """The record in one line."""
        now = self.now().file.document.records
        columns = record.columns if isinstance(record, DeclaredRecord) else record.data
        title = filled(now.title, columns, hidden=now.hide) if now.title else record.record_id
        status = shown(shown_value(columns.get(now.status))) if now.status else ""
        return RecordHead(record_id=record.record_id, title=title, status=status)

    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        """What the rules find wrong with these records; what cannot be judged is a problem of its own."""
        now = self.now()
        return tuple(
            finding
            for record in records
            if isinstance(record, DeclaredRecord)
            for finding in self._findings(now, record, today)
        )

    def propose(self, findings: Sequence[Finding], records: Sequence[Record]) -> ProposalSet:
        """For each finding the fix of its rule, where that fits; else the reason why a person has to."""
        now = self.now()
        fixes = {rule.kind: rule.fix for rule in now.file.document.rule}
        proposals: list[Proposal] = []
        left: dict[str, str] = {}
        for finding in findings:
            tool = now.tools.get(fixes.get(finding.kind, ""))
            if tool is None:
                left[finding.fingerprint] = "its rule has no fix: a person looks at it"
                continue
            terms = tool.terms(finding.record_id, tool.defaults, records)
            if terms.obstacle:
                left[finding.fingerprint] = said(f"{tool.name} does not fit: {terms.obstacle}")
                continue
            proposals.append(
                Proposal(
                    record_id=finding.record_id,
                    tool=tool.name,
                    arguments=dict(tool.defaults),
                    answers=(finding.fingerprint,),
                    rationale=tool.section.does,
                )
            )
        return ProposalSet(proposals=tuple(proposals), for_person=left)

    def terms(self, proposal: Proposal, records: Sequence[Record]) -> Terms:
        """On what terms a proposal could run; no limits at all where its tool does not fit its record."""
        tool = self.now().tools.get(proposal.tool)
        if tool is None or all(record.record_id != proposal.record_id for record in records):
            return Terms(answers=frozenset(), limits={})
        return tool.terms(proposal.record_id, proposal.arguments, records)

    def guide(self) -> Guide:
        """What a language model has to know of this domain."""
        document = self.now().file.document
        tools = {
            tool.name: f"{tool.does} Not when: {tool.when_not}" if tool.when_not else tool.does
            for tool in document.tool
        }
        return Guide(about=document.domain.about, kinds={rule.kind: rule.issue for rule in document.rule}, tools=tools)

    def brief(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, object]]:
        """Each record without what is hidden, by its id."""
        return {record.record_id: dict(record.data) for record in records}

    def _findings(self, now: Declared, record: DeclaredRecord, today: datetime) -> list[Finding]:
        found: list[Finding] = []
        conditions = now.conditions(frozenset(record.columns))
        hidden = now.file.document.records.hide
        for rule in now.file.document.rule:
            try:
                holds = conditions[rule.kind].holds(record.columns, today) if rule.when else rule.kind in record.wrong
            except CannotJudge as error:
                found.append(self._finding(record, CANNOT_JUDGE, {"rule": rule.kind}, f"Rule {rule.kind!r}: {error}"))
                continue
            if holds:
                facts = {name: cast("JsonValue", shown_value(record.columns.get(name))) for name in rule.facts}
                found.append(
                    self._finding(
                        record,
                        rule.kind,
                        facts,
                        filled(rule.issue, record.columns, hidden=hidden),
                        evidence=_evidence(rule),
                    )
                )
        return found

    def _finding(
        self,
        record: DeclaredRecord,
        kind: str,
        facts: Mapping[str, JsonValue],
        issue: str,
        *,
        evidence: Sequence[str] = (),
    ) -> Finding:
        known = Finding.fingerprint_of(self.name, record.record_id, kind, dict(facts))
        return Finding(
            record_id=record.record_id,
            kind=kind,
            issue=said(issue),
            evidence=tuple(map(said, evidence)),
            fingerprint=known,
        )

    def _scan(self, scope: Scope, page: str | None) -> RecordPage:
        after = _key_of(page) if page is not None else None
        now = self.now()
        with now.store.reading() as view:
            if scope.record_ids:
                rows, more = view.named(scope.record_ids), False
            else:
                rows, more = view.page(after, most=PAGE)
            records = now.read(view, rows)
        last = records[-1].raw_key if records else None
        kept = tuple(record for record in records if self._is_wanted(record, scope))
        return RecordPage(records=kept, next_page=_page_of(last) if more else None)

    def _is_wanted(self, record: DeclaredRecord, scope: Scope) -> bool:
        if scope.partition is not None and not scope.partition.holds(record.record_id):
            return False
        if scope.status is None:
            return True
        head = self.head(record)
        return head is not None and head.status.strip().casefold() == scope.status.strip().casefold()

    def _context(self, record_ids: Sequence[str]) -> tuple[Record, ...]:
        now = self.now()
        with now.store.reading() as view:
            return now.read(view, view.named(record_ids))

    def _count(self) -> int:
        with self.now().store.reading() as view:
            return view.count()


def _evidence(rule: RuleSection) -> tuple[str, ...]:
    return (f"rule {rule.kind}: {rule.when}",) if rule.when else (f"rule {rule.kind}, in SQL",)


def _page_of(key: object) -> str:
    return json.dumps(key if isinstance(key, int | str) and not isinstance(key, bool) else str(key))


def _key_of(page: str) -> object:
    try:
        found = json.loads(page)
    except ValueError:
        found = None
    if not isinstance(found, int | str) or isinstance(found, bool):
        raise UserError(f"there is no page {page!r}; ask for the first one, and then for the next that it names")
    return found
