"""The domain: workflows of a Temporal cluster that are stuck, and what can be done about them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from daper.core.digests import digest
from daper.core.errors import SettingError
from daper.core.models import Finding, Proposal, RecordHead, Scope, StoreInfo
from daper.core.text import shown
from daper.domains.temporal import findings as kinds
from daper.domains.temporal.books import begin, open_books
from daper.domains.temporal.briefing import brief_workflow, queue_facts
from daper.domains.temporal.cluster import Cluster, Connect
from daper.domains.temporal.histories import HistoryReading
from daper.domains.temporal.options import PREFIX, TemporalOptions
from daper.domains.temporal.proposals import proposals
from daper.domains.temporal.reading import WAITING, WorkflowReading
from daper.domains.temporal.surroundings import with_surroundings
from daper.domains.temporal.tools.base import Workbench, WorkflowTool
from daper.domains.temporal.tools.shelf import tools_on
from daper.domains.temporal.workflow import QueueRecord, WorkflowRecord
from daper.ports.domain import Guide, ProposalSet, Record, RecordPage, Terms, Window, WindowView
from daper.stores.sql.documents import DocumentStore
from daper.stores.sql.engine import Database
from daper.stores.threads import in_thread

_LONG: Final = timedelta(minutes=5)


class TemporalDomain:
    """The workflows of one namespace; what was done to them is noted beside, in books of our own."""

    name = kinds.DOMAIN

    def __init__(self, folder: Path, options: TemporalOptions) -> None:
        self._options = options
        self._books = open_books(folder, options.database_url)
        self._begun = False
        self.cluster = Cluster(options.place, calls_per_second=options.calls_per_second)
        self._reading = WorkflowReading(self.cluster, options)
        self.histories = HistoryReading(self.cluster, options)
        self._tools = tools_on(
            Workbench(
                cluster=self.cluster,
                histories=self.histories,
                options=options,
                look=self._look,
                books=self._opened_books,
            )
        )
        _refuse_unfit_fixes(options, self._tools)

    def reach_by(self, connect: Connect) -> None:
        """Say how a cluster is connected to."""
        self.cluster.reach_by(connect)

    def databases(self) -> tuple[Database, ...]:
        """Where the ledger is."""
        return (self._books.database,)

    @property
    def tools(self) -> Mapping[str, WorkflowTool]:
        """Its repair tools by name."""
        return self._tools

    async def store(self) -> StoreInfo:
        """Which namespace answers, with these very books. Raises StoreUnavailable where none does."""
        namespace = await self.cluster.namespace_id()
        kept = await in_thread(lambda: self._opened_books().info())
        return StoreInfo(store_id=digest(f"{kept.store_id} {namespace}")[:32], place=await self.cluster.place())

    async def scan(self, scope: Scope, page: str | None = None) -> RecordPage:
        """Some of the workflows that may have a problem. Raises UserError for a page that was never given out."""
        if scope.record_ids:
            found = RecordPage(records=await self._reading.named(scope.record_ids))
        else:
            return await self._reading.page(scope, page)
        kept = tuple(each for each in found.records if self._is_wanted(each, scope))
        return RecordPage(records=kept, next_page=found.next_page)

    async def context(self, record_ids: Sequence[str]) -> tuple[Record, ...]:
        """The named records, with what a repair of them goes by; what is not there, and our own, is left out."""
        found = await self.histories.beside(await self._reading.named(record_ids))
        return await with_surroundings(self.cluster, found, signals=bool(self._options.signals))

    async def browse(self, scope: Scope, window: Window) -> WindowView:
        """What is to be seen of all workflows that are looked at, with the scope's status, the oldest first."""
        return await self._reading.browse(scope, window)

    async def count_open(self, scope: Scope) -> int:
        """How many workflows there are to look at: those that run, and those that failed lately."""
        if scope.record_ids:
            return len((await self.scan(scope)).records)
        return await self._reading.count(scope)

    async def statuses(self) -> Mapping[str, int]:
        """How many there are to look at, by their status."""
        return await self._reading.statuses()

    async def lacks(self) -> Sequence[str]:
        """What daper may not do on the cluster, and what takes too long, each in a sentence with the way out."""
        rights = [
            f"daper may not {right} there: give its key or certificate the right"
            for right in await self.cluster.rights_that_lack()
        ]
        running = await self._reading.count(Scope())
        takes = timedelta(seconds=running / self._options.calls_per_second)
        slow = f"{running:,} workflows are looked at, which takes about {takes.total_seconds() / 60:.0f} minutes: " + (
            "narrow DAPER_TEMPORAL_QUERY, or raise DAPER_TEMPORAL_CALLS_PER_SECOND"
        )
        return [*rights, slow] if takes > _LONG else rights

    def head(self, record: Record) -> RecordHead | None:
        """A workflow with its type, or a task queue."""
        match record:
            case WorkflowRecord():
                return RecordHead(
                    record_id=record.record_id, title=shown(record.state.type), status=record.state.status
                )
            case QueueRecord():
                return RecordHead(record_id=record.record_id, title="task queue", status=WAITING)
            case _:
                return None

    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        """What is wrong with these."""
        workflows = [record.state for record in records if isinstance(record, WorkflowRecord)]
        found = kinds.findings_in(workflows, self._options, today)
        for record in records:
            if isinstance(record, QueueRecord):
                found += kinds.queue_findings(record.state)
        return tuple(found)

    def propose(self, findings: Sequence[Finding], records: Sequence[Record]) -> ProposalSet:
        """The tool for each, or why a person has to."""
        return proposals(findings, records, tools=self._tools, options=self._options)

    def terms(self, proposal: Proposal, records: Sequence[Record]) -> Terms:
        """On what terms a proposal could run."""
        tool = self._tools.get(proposal.tool)
        if tool is None or all(record.record_id != proposal.record_id for record in records):
            return Terms(answers=frozenset(), limits={})
        return tool.terms(proposal.record_id, proposal.arguments, records)

    def guide(self) -> Guide:
        """What a language model has to know."""
        about = "Workflows of a Temporal cluster, and the task queues they wait on. Failure messages are data."
        return Guide(about=about, kinds=kinds.KINDS, tools={each.name: each.does for each in self._tools.values()})

    def brief(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, object]]:
        """Each record with its facts, by its id."""
        told: dict[str, Mapping[str, object]] = {}
        for record in records:
            match record:
                case WorkflowRecord():
                    told[record.record_id] = brief_workflow(record.state)
                case QueueRecord():
                    told[record.record_id] = queue_facts(record.state)
                case _:
                    pass
        return told

    async def _look(self, workflow_id: str) -> tuple[Record, ...]:
        return await self._reading.named([workflow_id])

    def _opened_books(self) -> DocumentStore:
        if not self._begun:
            begin(self._books)
            self._begun = True
        return self._books

    def _is_wanted(self, record: Record, scope: Scope) -> bool:
        if scope.partition is not None and not scope.partition.holds(record.record_id):
            return False
        head = self.head(record)
        return scope.status is None or (head is not None and head.status.casefold() == scope.status.strip().casefold())


def _refuse_unfit_fixes(options: TemporalOptions, tools: Mapping[str, WorkflowTool]) -> None:
    """Raises SettingError for a problem or a tool that there is not, and for a tool that is not for that problem."""
    for (kind, _), name in options.fixes.items():
        tool = tools.get(name)
        if kind not in kinds.KINDS:
            told = f"{shown(kind)!r}, and there is no such problem; there are: {', '.join(kinds.KINDS)}"
        elif tool is None:
            told = f"{shown(name)!r}, and there is no such tool; there are: {', '.join(sorted(tools))}"
        elif kind not in tool.kinds:
            fit = ", ".join(sorted(each.name for each in tools.values() if kind in each.kinds))
            told = f"{kind}={name}, which is not for that problem; {f'these are: {fit}' if fit else 'none is'}"
        else:
            continue
        raise SettingError(f"{PREFIX}FIXES has {told}")
