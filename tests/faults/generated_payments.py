"""A table of payments with as many problems as wanted, and the file that declares it: each repair gets one of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, create_engine, text

from daper.core.outcomes import Effect, OutcomeStatus
from daper.domains.declared.domain import DeclaredDomain
from daper.ports.store import LedgerRow
from daper.stores.rows.address import database_address
from tests.payment_processor import Processor

HELD: Final = "held"
HOLD: Final = "UPDATE payments SET attempts = attempts + 1 WHERE id = 'held'"
ACCOUNTS: Final = 3
_AMOUNT: Final = Decimal("12.50")
_AT: Final = datetime(2026, 11, 20, tzinfo=UTC)


class Need(StrEnum):
    """What a payment is in want of, and so which tool it gets."""

    RETRY = "retry"
    FIGHT = "fight"  # for an account that those of other repairs change as well: may find it stale
    REFUSE = "refuse"  # the person says no
    VAIN = "vain"  # does not help, and is taken back
    CLOSE = "close"
    CHARGE = "charge"  # over HTTP: with a key, and a system that can be asked what became of it
    REMIND = "remind"  # with a key alone: asked again until it answers
    RING = "ring"  # with neither: after a doubt nobody knows


TOOLS: Final[Mapping[Need, str]] = {
    Need.RETRY: "queue_payment",
    Need.FIGHT: "queue_payment",
    Need.REFUSE: "queue_payment",
    Need.VAIN: "push_payment",
    Need.CLOSE: "close_payment",
    Need.CHARGE: "charge_payment",
    Need.REMIND: "remind_payer",
    Need.RING: "ring_payer",
}
BY_HTTP: Final = frozenset({TOOLS[Need.CHARGE], TOOLS[Need.REMIND], TOOLS[Need.RING]})
OPEN: Final = frozenset({TOOLS[Need.RING]})
"""The tools of which nobody may be able to tell what became of them."""

_FILE: Final = Path(__file__).with_suffix(".toml")
_PROCESSOR: Final = "https://processor.example"
_SCHEMA: Final = (
    "CREATE TABLE payments (id VARCHAR(40) PRIMARY KEY, need VARCHAR(20) NOT NULL, status VARCHAR(20) NOT NULL,"
    " amount NUMERIC(12, 2) NOT NULL, attempts INTEGER NOT NULL, account VARCHAR(40) NOT NULL)",
    "CREATE INDEX payments_account ON payments (account)",
    # Nothing in it keeps anybody from closing a payment twice.
    "CREATE TABLE closings (payment_id VARCHAR(40) NOT NULL, amount NUMERIC(12, 2) NOT NULL)",
    "CREATE INDEX closings_payment ON closings (payment_id)",
)


@dataclass(frozen=True, kw_only=True)
class Payment:
    """One payment as it was made, and what the person says to its repair."""

    record_id: str
    need: Need
    account: str

    @property
    def is_rejected(self) -> bool:
        """Whether the person says no."""
        return self.need is Need.REFUSE


@dataclass(frozen=True, kw_only=True)
class Found:
    """A payment as it is; `closings`: the amounts of those it has."""

    status: str
    amount: Decimal
    attempts: int
    closings: tuple[Decimal, ...] = ()


@dataclass(kw_only=True)
class GeneratedPayments:
    """A database, the file in a folder, the processor, and what was put into the table."""

    folder: Path
    url: str
    processor: Processor
    tasks: dict[str, Payment] = field(default_factory=dict[str, Payment])
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = create_engine(database_address(self.url, variable="PAYMENTS_URL").url)

    @property
    def file(self) -> Path:
        """Of the domain."""
        return self.folder / "payments.toml"

    def install(self) -> None:
        """The tables before the first repair, the file, and the ledger."""
        self.folder.mkdir(parents=True)
        self.file.write_text(_FILE.read_text("utf-8").replace(_PROCESSOR, self.processor.url), encoding="utf-8")
        with self.engine.begin() as db:
            for statement in _SCHEMA:
                db.execute(text(statement))
        self._add(Payment(record_id=HELD, need=Need.RETRY, account=HELD), status="paid")
        DeclaredDomain(self.file, variables={"PAYMENTS_URL": self.url}.get).now().store.init()

    def add_wave(self, wave: int, repairs: int) -> tuple[tuple[str, ...], ...]:
        """New payments for so many repairs; the ids of each."""
        of_repairs = [
            [_task(wave, number, need, account=f"{wave}-{number % ACCOUNTS}") for need in Need]
            for number in range(repairs)
        ]
        self.tasks |= {task.record_id: task for tasks in of_repairs for task in tasks}
        for tasks in of_repairs:
            for task in tasks:
                self._add(task)
        return tuple(tuple(task.record_id for task in tasks) for tasks in of_repairs)

    def count(self, table: str) -> int:
        """How many rows a table has."""
        with self.engine.begin() as db:
            return int(db.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608 - a name of ours

    def found(self) -> dict[str, Found]:
        """All payments as they are."""
        closings: dict[str, tuple[Decimal, ...]] = {}
        with self.engine.begin() as db:
            for record_id, amount in db.execute(text("SELECT payment_id, amount FROM closings")):
                closings[record_id] = (*closings.get(record_id, ()), Decimal(str(amount)))
            rows = db.execute(text("SELECT id, status, amount, attempts FROM payments")).all()
        return {
            row.id: Found(
                status=row.status,
                amount=Decimal(str(row.amount)),
                attempts=row.attempts,
                closings=closings.get(row.id, ()),
            )
            for row in rows
        }

    def ledger(self) -> dict[str, LedgerRow]:
        """All that it says, by key."""
        with self.engine.begin() as db:
            written = db.execute(text("SELECT written FROM daper_ledger")).scalars().all()
        return {row.key: row for row in map(LedgerRow.model_validate_json, written)}

    def run(self, sql: str, **values: object) -> None:
        """Somebody else changes something."""
        with self.engine.begin() as db:
            db.execute(text(sql), values)

    def _add(self, task: Payment, *, status: str = "failed") -> None:
        self.run(
            "INSERT INTO payments VALUES (:id, :need, :status, :amount, 0, :account)",
            id=task.record_id,
            need=task.need,
            status=status,
            amount="12.50",
            account=task.account,
        )


def as_made(*, status: str = "failed", attempts: int = 0, closed: bool = False) -> Found:
    """A payment as it was made, but for this."""
    return Found(status=status, amount=_AMOUNT, attempts=attempts, closings=(_AMOUNT,) if closed else ())


def held_row(key: str) -> LedgerRow:
    """What a holder of the ledger writes there, beside its own change."""
    effect = Effect(status=OutcomeStatus.APPLIED)
    return LedgerRow(key=key, kind="effect", tool="hold", record_id=HELD, at=_AT, effect=effect)


def _task(wave: int, number: int, need: Need, *, account: str) -> Payment:
    record_id = f"P-{wave}-{number}-{need}"
    return Payment(record_id=record_id, need=need, account=account if need is Need.FIGHT else record_id)
