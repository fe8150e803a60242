"""A help desk in SQLite: tickets that were closed too early, and tickets whose customer does not answer."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection

from pydantic import BaseModel, JsonValue

from daper.core.limits import Exactly
from daper.core.models import Change, Finding, RecordHead, Risk
from daper.core.outcomes import Effect, Holding, Postcondition
from daper.ports import Letter, Record, Terms, ToolCall
from daper.stores.once import Deed, StoreTool, UndoableStoreTool
from daper.stores.sql.sqlite import SqliteStore, records_of
from daper.stores.storedomain import StoreDomain

TABLE = "CREATE TABLE IF NOT EXISTS tickets (id TEXT PRIMARY KEY, customer TEXT, status TEXT, last_word TEXT)"
PROBLEMS = {("closed", "customer"): "closed-too-early", ("waiting", "us"): "no-answer"}


def problem(ticket: Record) -> str:
    return PROBLEMS.get((str(ticket.data["status"]), str(ticket.data["last_word"])), "")


class TicketArgs(BaseModel):
    ticket: str


class TicketTool(StoreTool[Connection]):
    args, risk = TicketArgs, Risk.LOW
    kind = after = ""
    shows = Holding.YES

    def records(self, records: Connection, record_id: str) -> tuple[Record, ...]:
        return records_of(records, "tickets", "id", [record_id])

    def terms(self, record_id: str, arguments: Mapping[str, JsonValue], records: Sequence[Record]) -> Terms:
        ticket = next(record for record in records if record.record_id == record_id)
        if (found := problem(ticket)) != self.kind:
            return Terms(answers=frozenset({self.kind}), limits={}, obstacle=f"its problem is {found or 'none'}")
        change = Change(record=ticket.ref, field="status", before=str(ticket.data["status"]), after=self.after)
        limits, reads = {"ticket": Exactly(value=record_id)}, {ticket.ref: ticket.version}
        return Terms(answers=frozenset({self.kind}), limits=limits, reads=reads, preview=(change,))

    def act(self, records: Connection, call: ToolCall) -> Deed:
        [ticket] = self.records(records, call.record_id)
        letter = Letter(to=str(ticket.data["customer"]), subject=f"Ticket {call.record_id}", body="We wait for you.")
        return self.set_status(records, ticket, self.after, letters=[letter] if self.shows is Holding.WAITING else [])

    def set_status(self, db: Connection, ticket: Record, status: str, letters: Sequence[Letter] = ()) -> Deed:
        db.execute("UPDATE tickets SET status = ? WHERE id = ?", (status, ticket.record_id))
        before, after = {"status": str(ticket.data["status"])}, {"status": status}
        return Deed(before=before, after=after, wrote=[ticket.ref], evidence=[f"now {status}"], letters=letters)

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        status = records[0].data["status"] if records else "gone"
        return Postcondition(holding=self.shows if status == self.after else Holding.NO, evidence=f"it is {status}")


class ReopenTicket(TicketTool, UndoableStoreTool[Connection]):
    name, kind, after = "reopen_ticket", "closed-too-early", "open"

    def take_back(self, records: Connection, call: ToolCall, done: Effect, originals: str) -> Deed:
        [ticket] = self.records(records, call.record_id)
        return self.set_status(records, ticket, str(done.before["status"]))


class RemindCustomer(TicketTool):
    name, kind, after, shows = "remind_customer", "no-answer", "reminded", Holding.WAITING


class Desk(StoreDomain[Connection]):
    name = "desk"

    def read(self, records: Connection, record_ids: Iterable[str] | None = None) -> tuple[Record, ...]:
        return records_of(records, "tickets", "id", record_ids)

    def head(self, record: Record) -> RecordHead:
        customer, status = str(record.data["customer"]), str(record.data["status"])
        return RecordHead(record_id=record.record_id, title=customer, status=status)

    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        found = ((ticket.record_id, problem(ticket)) for ticket in records)
        return tuple(self.finding(ticket, kind, issue=f"ticket {ticket}: {kind}") for ticket, kind in found if kind)


def open_domain(folder: Path, options: Mapping[str, str]) -> Desk:
    store = SqliteStore(folder / "desk.db", tables={"tickets": "id"}, schema=[TABLE])
    return Desk(store, [ReopenTicket(lambda: store), RemindCustomer(lambda: store)])
