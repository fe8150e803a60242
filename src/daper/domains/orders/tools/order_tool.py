"""What the repair tools of this domain share: how an order is found, fitted, changed and looked at again."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from pydantic import JsonValue

from daper.clock import agreed_now
from daper.core.errors import UserError
from daper.core.guard import refuse_arguments
from daper.core.limits import Exactly, Limit
from daper.core.models import Change, Finding, Proposal
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition
from daper.core.text import shown
from daper.domains.orders.addresses import Reach
from daper.domains.orders.book import Book
from daper.domains.orders.counterparty import answers_in_play
from daper.domains.orders.letters import Letters, drafted
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.needs import OrderProblem, hold_reasons
from daper.domains.orders.statuses import LEFT_ALONE
from daper.domains.orders.texts import Text
from daper.domains.orders.tools.job import Job, originals_of
from daper.domains.orders.tools.written import MESSAGE, SUBJECT, Written
from daper.domains.orders.world import World, order_ref, stock_ref, world_of
from daper.ports import Record, Terms, ToolCall
from daper.ports.store import Store
from daper.stores.once import Deed, StoreTool, UndoableStoreTool, not_done

Arguments = Mapping[str, JsonValue]


class OrderTool(StoreTool[Book]):
    """One tool. A subclass says all of itself in one place: arguments, terms, effect, what shows it, and its undo."""

    answers: ClassVar[Mapping[OrderProblem, float]]
    """The problems it repairs, and how sure the rules are that it is right for each: plausible, not measured."""
    why: ClassVar[str]
    """Why the rules propose it."""
    about: ClassVar[str]
    """What a language model is told of it."""
    texts: ClassVar[tuple[str, ...]] = ()
    """The arguments that hold a text as it is sent: made for the plan, and once approved not made anew."""
    parks: ClassVar[bool] = False
    """Whether it only puts an order aside: for one that has to be, and as a person's turn."""

    def __init__(
        self,
        store: Callable[[], Store[Book]],
        *,
        letters: Letters | None = None,
        clock: Callable[[], datetime] = agreed_now,
    ) -> None:
        super().__init__(store, clock=clock)
        self.letters = letters or Letters()

    @abstractmethod
    def misfit(self, order: Order, world: World, arguments: Arguments) -> str | None:
        """Why it does not fit an order that may be touched, or None."""

    @abstractmethod
    def limits(self, order: Order, world: World, arguments: Arguments) -> Mapping[str, Limit]:
        """What its own arguments may be, on an order that it fits."""

    @abstractmethod
    def proposals(
        self, order: Order, world: World, found: Sequence[Finding], moved: dict[str, int]
    ) -> Iterator[Proposal]:
        """What the rules propose for findings of its kinds on one order; nothing where it does not fit.

        `moved`: what earlier proposals add to the stock of an item, less what their orders take; to be kept up.
        """

    @abstractmethod
    def carry_out(self, job: Job) -> None:
        """Change the rows of a job; note refs written, letters and evidence in it."""

    @abstractmethod
    def shows(self, order: Order, call: ToolCall) -> Postcondition:
        """Whether this very effect shows in the order; what another way brought is no evidence of it."""

    @abstractmethod
    def status_after(self, order: Order) -> Change:
        """The change of the order itself, as the plan shows it."""

    def preview(self, order: Order, world: World, arguments: Arguments) -> tuple[Change, ...]:
        """What would change."""
        return (self.status_after(order),)

    def leaves(self, order: Order, world: World, arguments: Arguments) -> tuple[Order, StockRow | None]:
        """The order as its preview leaves it, and the inventory row that it changes, if it changes one."""
        change = self.status_after(order)
        return order.model_copy(update={"status": change.after} if change.field == "status" else {}), None

    def items_read(self, order: Order, world: World) -> Iterable[str]:
        """The items on whose inventory rows it depends."""
        return ()

    def spends(self, world: World, arguments: Arguments) -> Decimal | None:
        """What it spends; None where nobody can say."""
        return Decimal(0)

    def findings(self, order: Order, arguments: Arguments) -> frozenset[str] | None:
        """Which findings a call with these arguments repairs, by fingerprint; None: all of its kinds."""
        return None

    def figures(self, job: Job) -> dict[str, JsonValue]:
        """What the effect is about, before and after."""
        return {"status": job.status}

    def keep_originals(self, job: Job) -> None:
        """Note the fields that the effect overwrites, for undoing it exactly."""
        job.keep(job.raw, "status")

    def recipient(self, order: Order, world: World, arguments: Arguments) -> Reach | None:
        """Whom it writes to, if it writes to anybody."""
        return None

    def text(self, order: Order, world: World, arguments: Arguments) -> Text | None:
        """What it writes; `$name` stands for another argument. Raises UserError where there can be none."""
        return None

    def undo_texts(self, order: Order, world: World, arguments: Arguments) -> Mapping[str, str]:
        """What its undo writes, by argument; none where that is what ships. Raises UserError as `text` does."""
        return {}

    def whole(self, text: Text, arguments: Arguments) -> Text:
        """The text as it is sent, with the arguments in it."""
        return text

    def obstacle(self, order: Order, world: World, arguments: Arguments) -> str | None:
        """Why it may not touch this order as it is now, or None."""
        if why := self._unfit(order, world, arguments):
            return why
        reach = self.recipient(order, world, arguments)
        return None if reach is None else reach.why or None

    def hindrance(self, order: Order, world: World, arguments: Arguments) -> str | None:
        """Why it may not be proposed for this order, or None: an obstacle, or a text that cannot be made."""
        if why := self.obstacle(order, world, arguments):
            return why
        try:
            self.text(order, world, arguments)
            self.undo_texts(order, world, arguments)
        except UserError as error:
            return str(error)
        return None

    def hindrance_to(self, finding: Finding, order: Order, world: World) -> str | None:
        """Why it does not repair a finding of one of its kinds, or None."""
        arguments = self.about_finding(finding, order, world)
        return None if arguments is None else self.hindrance(order, world, arguments)

    def message_change(self, arguments: Arguments) -> Change | None:
        """What is sent for these arguments, as a plan shows it; None where an argument is all of it, or nothing is."""
        subject, message = arguments.get(SUBJECT), arguments.get(MESSAGE)
        if not isinstance(subject, str) or not isinstance(message, str):
            return None
        text = self.whole(Text(subject=subject, body=message), arguments)
        record = order_ref(str(arguments.get("order_id")))
        return Change(record=record, field="message", before="none", after=f"{text.subject}\n\n{text.body}")

    def draft_for(self, finding: Finding, order: Order, world: World) -> str:
        """The message that a person may send where nothing else is in the way than that nobody can be written to."""
        arguments = self.about_finding(finding, order, world)
        if arguments is None or self._unfit(order, world, arguments):
            return ""
        reach = self.recipient(order, world, arguments)
        try:
            text = None if reach is None or not reach.why else self.text(order, world, arguments)
        except UserError:
            return ""
        return "" if text is None else self.draft(text, order, world, arguments)

    def draft(self, text: Text, order: Order, world: World, arguments: Arguments) -> str:
        """The text as a person copies it, with whom it is for."""
        return drafted(text, to="")

    def about_finding(self, finding: Finding, order: Order, world: World) -> Arguments | None:
        """The arguments of which it depends whether it repairs a finding; None where it is about nothing of its own."""
        return {}

    def _unfit(self, order: Order, world: World, arguments: Arguments) -> str | None:
        if why := left_alone(order):
            return why
        reasons = hold_reasons(order, world)
        if reasons and not self.parks:
            return f"order {order.order_id!r} has to be put on hold first: {', '.join(reasons)}"
        return self.misfit(order, world, arguments)

    def proposal(self, order: Order, arguments: Arguments, found: Sequence[Finding]) -> Proposal:
        """A proposal of the rules."""
        return Proposal(
            record_id=order.order_id,
            tool=self.name,
            arguments={"order_id": order.order_id} | dict(arguments),
            answers=tuple(finding.fingerprint for finding in found),
            confidence_score=min(self.answers[OrderProblem(finding.kind)] for finding in found),
            rationale=self.why,
        )

    def terms(self, record_id: str, arguments: Arguments, records: Sequence[Record]) -> Terms:
        """On what terms it may run; without limits, and so refused, where it does not fit the order."""
        return self.terms_in(world_of(records), record_id, arguments)

    def refusal(self, call: ToolCall, records: Sequence[Record]) -> Effect | None:
        """Why it may not run. The text that was approved is sent, whatever has become of its template."""
        if not records or not any(name in call.arguments for name in self.texts):
            return super().refusal(call, records)
        terms = self.terms_in(world_of(records), call.record_id, call.arguments, approved=True)
        why = terms.obstacle or refuse_arguments(call.arguments, self.args, terms.limits)
        return not_done(OutcomeStatus.BLOCKED, why) if why else None

    def terms_in(self, world: World, record_id: str, arguments: Arguments, *, approved: bool = False) -> Terms:
        """The same, of records that are parsed already. `approved`: the texts among the arguments are as they were."""
        order = world.orders.get(record_id)
        if order is None:
            return Terms(answers=frozenset(), limits={}, obstacle=f"there is no order {shown(record_id)!r}")
        answers = frozenset(str(kind) for kind in self.answers)
        if why := (self.obstacle if approved else self.hindrance)(order, world, arguments):
            return Terms(answers=answers, limits={}, obstacle=why)
        own = {name: Exactly(value=arguments[name]) for name in self.texts if name in arguments} if approved else {}
        reads = (order_ref(order.order_id), *(stock_ref(item) for item in self.items_read(order, world)))
        return Terms(
            answers=answers,
            findings=self.findings(order, arguments),
            limits={
                "order_id": Exactly(value=order.order_id),
                **self.limits(order, world, arguments),
                **(own if approved else self._written(order, world, arguments)),
            },
            reads=world.versions_of(reads),
            preview=self.preview(order, world, arguments),
            spends=self.spends(world, arguments),
        )

    def _written(self, order: Order, world: World, arguments: Arguments) -> dict[str, Limit]:
        text = self.text(order, world, arguments)
        made = {} if text is None else {SUBJECT: text.subject, MESSAGE: text.body}
        made |= self.undo_texts(order, world, arguments)
        return {name: Exactly(value=made[name]) for name in self.texts if name in made}

    def records(self, records: Book, record_id: str) -> tuple[Record, ...]:
        """The order with the inventory rows of its items."""
        raw = records.order(record_id)
        return () if raw is None else records.records([raw])

    def act(self, records: Book, call: ToolCall) -> Deed:
        """Change the order's row, and what belongs to it; the summary of all orders is brought up to date."""
        job = self._job(records, call)
        before = self.figures(job)
        self.keep_originals(job)
        self.carry_out(job)
        records.sum_up()
        return job.deed(before=before, after=self.figures(job))

    def judge(self, call: ToolCall, effect: Effect, records: Sequence[Record]) -> Postcondition:
        """Whether the effect shows in the order as it is now."""
        order = world_of(records).orders.get(call.record_id)
        if order is None:
            return word(Holding.NO, f"there is no order {shown(call.record_id)!r} any more")
        return self.shows(order, call)

    def _job(self, records: Book, call: ToolCall) -> Job:
        return Job.of(call, records, simulated=answers_in_play(records.about()))


class UndoableOrderTool(OrderTool, UndoableStoreTool[Book]):
    """A tool whose effect can be taken back: exactly, and only while nobody has touched what it wrote."""

    @abstractmethod
    def revoke(self, job: Job, effect: Effect) -> None:
        """Undo the change on the rows of a job, which are as the effect left them; its originals are what was there."""

    def take_back(self, records: Book, call: ToolCall, done: Effect, originals: str) -> Deed:
        """Give the order's row back what it had."""
        job = self._job(records, call)
        job.wrote = list(done.wrote)
        job.originals = originals_of(done, originals, key=call.key)
        before = self.figures(job)
        self.revoke(job, done)
        records.sum_up()
        return job.deed(before=before, after=self.figures(job))


def approved_or(args: Written, text: Callable[[], Text]) -> Text:
    """The text as it was approved, or made now for a plan of before texts were in it."""
    if args.message and args.subject:
        return Text(subject=args.subject, body=args.message)
    return text()


def left_alone(order: Order) -> str | None:
    """Why no tool touches this order, whatever is wrong with it, or None."""
    if order.closed or order.parked or order.state in LEFT_ALONE:
        return f"order {order.order_id!r} is {shown(order.status)}; nothing is done to it"
    if order.unknown:
        status = f"the status {shown(order.status)!r}, which is not known here"
        return f"order {order.order_id!r} has {status}; nothing is done to it"
    return None


def status_change(order: Order, after: str) -> Change:
    """The order's status, before and after."""
    return Change(record=order_ref(order.order_id), field="status", before=shown(order.status), after=after)


def word(holding: Holding, evidence: str) -> Postcondition:
    """What a tool says of its own effect."""
    return Postcondition(holding=holding, evidence=evidence)
