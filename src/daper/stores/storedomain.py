"""The part of a domain that follows from its store and its tools: what is left is what its records are, and say."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Generic

from pydantic import JsonValue

from daper.core.errors import NotFound, UserError
from daper.core.models import Finding, Proposal, RecordHead, Scope, StoreInfo
from daper.core.text import said
from daper.ports.domain import ProposalSet, Record, RecordPage, Terms
from daper.ports.store import Message, MessageNote, MessageStore, Noted, RecordsT, Store
from daper.stores.once import Tool
from daper.stores.threads import in_thread

PAGE = 500


class StoreDomain(ABC, Generic[RecordsT]):
    """A domain on a store of the kernel. `tools` are in the order in which they must run on one record.

    A subclass reads its records and says what is wrong with them. It has to override more where judging one record
    takes others, or where a store has too many records to look through them all.
    """

    name: str

    def __init__(self, store: Store[RecordsT], tools: Iterable[Tool]) -> None:
        self._store = store
        self._tools = {tool.name: tool for tool in tools}

    @abstractmethod
    def read(self, records: RecordsT, record_ids: Iterable[str] | None = None) -> tuple[Record, ...]:
        """The named records, those that are there; or all, always in one order."""

    @abstractmethod
    def head(self, record: Record) -> RecordHead | None:
        """The record in one line; None for one that is only context."""

    @abstractmethod
    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        """What the rules find wrong with these records. Pure."""

    def is_open(self, record: Record) -> bool:
        """Whether anything may still become of a record."""
        return True

    def finding(
        self,
        record_id: str,
        kind: str,
        *,
        issue: str,
        facts: Mapping[str, JsonValue] | None = None,
        evidence: Sequence[str] = (),
    ) -> Finding:
        """What is wrong with a record. `facts` make it another problem when they change: an amount, a quantity."""
        known = Finding.fingerprint_of(self.name, record_id, kind, dict(facts or {}))
        return Finding(
            record_id=record_id, kind=kind, issue=said(issue), evidence=tuple(map(said, evidence)), fingerprint=known
        )

    @property
    def tools(self) -> Mapping[str, Tool]:
        """The repair tools by name."""
        return self._tools

    async def store(self) -> StoreInfo:
        """Which store answers."""
        return await in_thread(self._store.info)

    async def scan(self, scope: Scope, page: str | None = None) -> RecordPage:
        """At most 500 records in scope. Raises UserError for a page that was never given out."""
        if page is not None and not page.isdecimal():
            raise UserError(f"there is no page {page!r}; ask for the first one, and then for the next that it names")
        found, start = await in_thread(self._in_scope, scope), int(page or 0)
        after = start + PAGE
        return RecordPage(
            records=found[start:after], next_page=str(after) if after < len(found) else None, total=len(found)
        )

    async def context(self, record_ids: Sequence[str]) -> tuple[Record, ...]:
        """The named records. Unknown ids are left out."""
        found = await in_thread(self._read, tuple(dict.fromkeys(record_ids)))
        return tuple({record.ref: record for record in found}.values())

    async def count_open(self, scope: Scope) -> int:
        """How many records in scope are not closed."""
        return sum(self.is_open(record) for record in await in_thread(self._in_scope, scope))

    def propose(self, findings: Sequence[Finding], records: Sequence[Record]) -> ProposalSet:
        """For each finding the first tool that answers its kind and fits; else the reason why none does.

        An argument with one possible value need not be named: it is filled in where the plan is made.
        """
        proposals: list[Proposal] = []
        left: dict[str, str] = {}
        there = {record.record_id for record in records}
        for finding in findings:
            if finding.record_id not in there:
                left[finding.fingerprint] = said(f"{finding.record_id!r} is not there any more: look what became of it")
                continue
            made = [self._proposal(tool, finding, records) for tool in self._tools.values()]
            fitting = [each for each in made if isinstance(each, Proposal)]
            why = next((each for each in made if isinstance(each, str)), "no tool repairs that")
            if fitting:
                proposals.append(fitting[0])
            else:
                left[finding.fingerprint] = why
        return ProposalSet(proposals=tuple(proposals), for_person=left)

    def terms(self, proposal: Proposal, records: Sequence[Record]) -> Terms:
        """On what terms a proposal could run; no limits at all where its tool does not fit its record."""
        tool = self._tools.get(proposal.tool)
        if tool is None or all(record.record_id != proposal.record_id for record in records):
            return Terms(answers=frozenset(), limits={})
        return tool.terms(proposal.record_id, proposal.arguments, records)

    async def outbox(self) -> Sequence[Message]:
        """Every message that the tools wrote, in the order of sending; none where the store has no outbox to see."""
        store = self._store
        return await in_thread(store.outbox) if isinstance(store, MessageStore) else ()

    async def messages_of(self, key: str) -> Sequence[Message]:
        """Those that one effect, or its undo, wrote."""
        store = self._store
        return await in_thread(store.messages_of, key) if isinstance(store, MessageStore) else ()

    async def note_message(self, note: MessageNote) -> Noted:
        """Note what became of one, if it is still in an expected state. Raises NotFound."""
        store = self._store
        if not isinstance(store, MessageStore):
            raise NotFound(f"{self.name} keeps no outbox that could be delivered")
        return await in_thread(store.note_message, note)

    def _proposal(self, tool: Tool, finding: Finding, records: Sequence[Record]) -> Proposal | str | None:
        """A proposal, why the tool does not fit, or None: it is for other problems."""
        terms = tool.terms(finding.record_id, {}, records)
        if finding.kind not in terms.answers:
            return None
        if terms.obstacle:
            return terms.obstacle
        return Proposal(record_id=finding.record_id, tool=tool.name, arguments={}, answers=(finding.fingerprint,))

    def _read(self, record_ids: Sequence[str] | None) -> tuple[Record, ...]:
        with self._store.reading() as records:
            return self.read(records, record_ids)

    def _in_scope(self, scope: Scope) -> tuple[Record, ...]:
        # An id may be written in several ways where the store takes them for one: 7 and 07.
        found = tuple({record.ref: record for record in self._read(scope.record_ids or None)}.values())
        if scope.partition is not None:
            part = scope.partition
            found = tuple(each for each in found if part.holds(each.record_id) or self.head(each) is None)
        if scope.status is None:
            return found
        wanted = scope.status.strip().casefold()
        heads = ((record, self.head(record)) for record in found)
        return tuple(record for record, head in heads if head and head.status.strip().casefold() == wanted)
