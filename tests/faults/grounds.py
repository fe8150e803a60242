"""What is repaired while processes are killed: orders in files, or payments in a database that a file declares."""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from daper.core.outcomes import RepairResult
from tests.faults.checks import Told, gather, problems
from tests.faults.generated_payments import GeneratedPayments
from tests.faults.generated_shop import GeneratedShop
from tests.faults.payments_checks import gather_payments, problems_of_payments
from tests.faults.victims_run import Victims
from tests.payment_processor import Processor


class Ground(Protocol):
    """Somewhere to repair; `most_steps`, `most_operations`: how far a worker and a holder come before they die."""

    domain: str
    most_steps: int
    most_operations: int

    @property
    def environment(self) -> Mapping[str, str]:
        """What workers have to know of it."""
        ...

    def add_wave(self, wave: int, repairs: int) -> tuple[tuple[str, ...], ...]:
        """New problems for so many repairs; the records of each."""
        ...

    def rejected(self, record_id: str) -> bool:
        """Whether the person says no to what is planned for it."""
        ...

    def rows(self) -> int:
        """How many rows the ledger has by now."""
        ...

    def caught(self, pid: int) -> AbstractContextManager[Callable[[], bool]]:
        """What tells whether a worker is in the middle of a change."""
        ...

    async def dying(self, victims: Victims, step: int) -> asyncio.subprocess.Process:
        """A worker that dies at that step."""
        ...

    async def holder(self, victims: Victims, key: str, operation: int) -> asyncio.subprocess.Process | None:
        """Who holds the store, and stands still; None where it was done before that."""
        ...

    def reckoned(self, results: Sequence[RepairResult], held: Sequence[str]) -> tuple[Told, tuple[str, ...]]:
        """What is left, and all that is wrong with it."""
        ...


class ShopGround:
    """Orders in files; the policy approves everything."""

    domain = "orders"
    most_steps = 60
    most_operations = 45

    def __init__(self, home: Path) -> None:
        self.environment: Mapping[str, str] = {}
        self.shop = GeneratedShop(folder=home / "data" / "orders")
        self.shop.install()

    def add_wave(self, wave: int, repairs: int) -> tuple[tuple[str, ...], ...]:
        """As of a ground."""
        return self.shop.add_wave(wave, repairs)

    def rejected(self, record_id: str) -> bool:
        """As of a ground."""
        return False

    def rows(self) -> int:
        """As of a ground."""
        names: Iterable[object] = (self.shop.folder / "ledger").iterdir()
        return sum(1 for _ in names)

    @contextmanager
    def caught(self, pid: int) -> Generator[Callable[[], bool]]:
        """Whether it holds the store."""
        lock = self.shop.folder / "lock"
        yield lambda: f"process {pid} " in lock.read_text("utf-8")

    async def dying(self, victims: Victims, step: int) -> asyncio.subprocess.Process:
        """At a change of the disk."""
        return await victims.worker(step)

    async def holder(self, victims: Victims, key: str, operation: int) -> asyncio.subprocess.Process | None:
        """Between two changes of the disk."""
        return await victims.holder(self.shop.folder, key, operation)

    def reckoned(self, results: Sequence[RepairResult], held: Sequence[str]) -> tuple[Told, tuple[str, ...]]:
        """As of a ground."""
        evidence = gather(self.shop, results, held=held)
        return evidence, problems(self.shop, evidence)


class PaymentsGround:
    """Payments in somebody's own database, and a processor that is asked over HTTP; a person approves most of it."""

    domain = "payments"
    most_steps = 200
    most_operations = 4

    def __init__(self, home: Path, *, url: str, processor: Processor) -> None:
        self.payments = GeneratedPayments(folder=home / "domains", url=url, processor=processor)
        self.payments.install()

    @property
    def environment(self) -> Mapping[str, str]:
        """Where the database is."""
        return {"PAYMENTS_URL": self.payments.url}

    def add_wave(self, wave: int, repairs: int) -> tuple[tuple[str, ...], ...]:
        """As of a ground."""
        return self.payments.add_wave(wave, repairs)

    def rejected(self, record_id: str) -> bool:
        """As of a ground."""
        return self.payments.tasks[record_id].is_rejected

    def rows(self) -> int:
        """As of a ground."""
        return self.payments.count("daper_ledger")

    @contextmanager
    def caught(self, pid: int) -> Generator[Callable[[], bool]]:
        """Whether it waits for an answer of the processor, which has acted, or has not."""
        processor = self.payments.processor
        before = processor.standing
        hang = "act hang" if len(processor.asked) % 2 else "hang"
        with processor.lock:
            processor.behaviours.append(hang)
        try:
            yield lambda: processor.standing > before
        finally:
            with processor.lock:
                processor.behaviours.clear()

    async def dying(self, victims: Victims, step: int) -> asyncio.subprocess.Process:
        """At a statement, a commit, or a request."""
        return await victims.worker_at(step)

    async def holder(self, victims: Victims, key: str, operation: int) -> asyncio.subprocess.Process | None:
        """In a transaction of the ledger."""
        return await victims.rows_holder(self.payments.file, key, operation)

    def reckoned(self, results: Sequence[RepairResult], held: Sequence[str]) -> tuple[Told, tuple[str, ...]]:
        """As of a ground."""
        evidence = gather_payments(self.payments, results, held=held)
        return evidence, problems_of_payments(self.payments, evidence)
