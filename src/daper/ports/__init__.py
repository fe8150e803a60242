"""The Protocols that the cycle is built on: a domain of records and its tools, the agents, what is kept."""

from daper.ports.administration import (
    Adoptable,
    Evaluable,
    Importable,
    ImportDraft,
    ImportNote,
    Recoverable,
    Replaced,
    Resettable,
)
from daper.ports.agents import Agents, Analysis, Review, Suspicion, Work
from daper.ports.domain import (
    Briefing,
    Domain,
    Guide,
    OpenScan,
    ProposalSet,
    Record,
    RecordPage,
    RepairTool,
    Settleable,
    Terms,
    ToolCall,
    Undoable,
)
from daper.ports.entry import DomainEntry, DomainOption, with_options
from daper.ports.notifier import Notifier
from daper.ports.persistence import Caps, KeptAnswer, Memory, Reports, Reservation, Spending, Transcript, Transcripts
from daper.ports.runs import Runs, RunState
from daper.ports.store import LedgerRow, Letter, Message, Store, StoreChange

__all__ = (
    "Adoptable",
    "Agents",
    "Analysis",
    "Briefing",
    "Caps",
    "Domain",
    "DomainEntry",
    "DomainOption",
    "Evaluable",
    "Guide",
    "ImportDraft",
    "ImportNote",
    "Importable",
    "KeptAnswer",
    "LedgerRow",
    "Letter",
    "Memory",
    "Message",
    "Notifier",
    "OpenScan",
    "ProposalSet",
    "Record",
    "RecordPage",
    "Recoverable",
    "RepairTool",
    "Replaced",
    "Reports",
    "Reservation",
    "Resettable",
    "Review",
    "RunState",
    "Runs",
    "Settleable",
    "Spending",
    "Store",
    "StoreChange",
    "Suspicion",
    "Terms",
    "ToolCall",
    "Transcript",
    "Transcripts",
    "Undoable",
    "Work",
    "with_options",
)
