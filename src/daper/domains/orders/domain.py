"""The orders domain: the one door through which the agents see orders and inventory."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from daper.core.cases import CaseSet
from daper.core.errors import SettingError, UserError
from daper.core.facts import FactAnswer, ToldFact
from daper.core.models import Change, Finding, Proposal, RecordHead, Scope, StoreInfo
from daper.core.outbox import MessageState
from daper.core.text import shown
from daper.domains.orders import briefing, proposals, rules, shipped
from daper.domains.orders.addresses import Addresses, approvers_in, suppliers_in
from daper.domains.orders.administration import Administration
from daper.domains.orders.book import Keeping
from daper.domains.orders.fact_entry import HISTORY
from daper.domains.orders.facts import OrderFacts
from daper.domains.orders.importing.deeds import standing
from daper.domains.orders.importing.draft import ABOUT, FILES
from daper.domains.orders.importing.spool import Spool
from daper.domains.orders.json_keeping import JsonKeeping
from daper.domains.orders.letters import Letters
from daper.domains.orders.models import OrderLabel
from daper.domains.orders.texts import Templates
from daper.domains.orders.tools.hold_order import HoldOrder
from daper.domains.orders.tools.order_inventory import OrderInventory
from daper.domains.orders.tools.order_tool import OrderTool
from daper.domains.orders.tools.request_approval import RequestApproval
from daper.domains.orders.tools.request_payment_update import RequestPaymentUpdate
from daper.domains.orders.world import Worlds, is_order, parse_row
from daper.ports import (
    PLAIN,
    DomainOption,
    Fact,
    Guide,
    ImportDraft,
    ImportWay,
    ProposalSet,
    Record,
    RecordPage,
    RepairTool,
    Replaced,
    Tell,
    Telling,
    Terms,
    Window,
    WindowView,
    untold,
    with_options,
)
from daper.ports.copying import WholeStore
from daper.ports.store import Message, MessageNote, Noted

if TYPE_CHECKING:
    from daper.stores.sql.engine import Database

_MOST_DEEDS: Final = 3
_NOT_SENT: Final = frozenset({MessageState.WRITTEN, MessageState.REFUSED})
_IN_PART: Final = frozenset({"item", "quantity"})  # arguments of a fact of which there may be more to come
_FEW: Final = 10  # actions of one plan whose messages are shown whole; of more the text that they share is
STORES: Final = ("json", "sqlite", "postgresql")


@with_options(
    DomainOption(
        name="approvers",
        default="",
        help="Who may be asked to approve restricted items: addresses, separated by commas. Unset: nobody; of the "
        "shipped records, somebody made up.",
    ),
    DomainOption(
        name="suppliers",
        default="",
        help="Who is written to for what a row names no supplier_contact for: NAME=ADDRESS by supplier, separated by "
        "commas; an address alone is for all others.",
    ),
    DomainOption(
        name="shop_name",
        default="",
        help="Who writes: the shop's name below the messages.",
    ),
    DomainOption(
        name="templates",
        default="",
        help="The folder with texts of your own for messages. Unset: templates/orders in DAPER_HOME.",
    ),
    DomainOption(
        name="dataset",
        default="hogwarts",
        help="Which shipped records a new data folder gets, and `daper records reset` brings: hogwarts or trouble.",
    ),
    DomainOption(
        name="store",
        default="",
        help="Where the orders are: json (two files, to be looked at), sqlite (a file beside them) or postgresql (the "
        "database of DAPER_DATABASE_URL). Unset: postgresql where that is set, else json.",
    ),
    DomainOption(
        name="database_url",
        default="",
        help="The database of the orders, where it is another one than DAPER_DATABASE_URL.",
        secret=True,
    ),
)
def open_domain(folder: Path, options: Mapping[str, str]) -> "OrdersDomain":
    """The orders in a folder; no file is touched before the first use.

    Raises SettingError for addresses that are none, or an unknown data set.
    """
    addresses = Addresses(
        approvers=approvers_in(options["approvers"]), suppliers=suppliers_in(options.get("suppliers", ""))
    )
    folder_of_texts = options.get("templates", "")
    letters = Letters(
        templates=Templates(Path(folder_of_texts) if folder_of_texts else None),
        addresses=addresses,
        shop_name=options.get("shop_name", ""),
    )
    shipped.about(options["dataset"])
    url, store = options["database_url"], options["store"]
    kind = store.strip().lower() or ("postgresql" if url else "json")
    if kind not in STORES:
        raise SettingError(f"store names no kind of store: {store!r}; there are: {', '.join(STORES)}")
    keepings = partial(_keeping, folder, url)
    return OrdersDomain(
        folder=folder,
        keepings=keepings,
        kind=kind,
        letters=letters,
        dataset=options["dataset"],
        shared=bool(url),
    )


def _keeping(folder: Path, url: str, kind: str) -> Keeping:
    if kind == "json":
        return JsonKeeping(folder)
    from daper.domains.orders.sql_keeping import in_file, on_server  # a database library: not every command needs one

    if kind == "sqlite":
        return in_file(folder / "orders.db")
    if not url:
        raise SettingError("store is postgresql, and there is no DAPER_DATABASE_URL; set it to the database's address")
    return on_server(url)


class OrdersDomain:
    """Orders and inventory of a shop. A new store gets the shipped ones. Where none is said, JSON files keep them."""

    name = rules.DOMAIN

    def __init__(
        self,
        *,
        folder: Path,
        dataset: str,
        approvers: Sequence[str] = (),
        letters: Letters | None = None,
        kind: str = "json",
        keepings: Callable[[str], Keeping] | None = None,
        shared: bool = False,
    ) -> None:
        self._keepings = keepings or partial(_keeping, folder, "")
        self._kept = Administration(self._keepings(kind), dataset=dataset)
        self._shared = shared
        self.store_kind = kind
        self._folder = folder
        self._worlds = Worlds()
        # In the order in which they must run on one record: whether it may be sold, whether it is paid, then the stock.
        self._letters = letters or Letters(addresses=Addresses(approvers=tuple(approvers)))
        made: tuple[OrderTool, ...] = (
            HoldOrder(self._kept.store),
            RequestApproval(self._kept.store, letters=self._letters),
            RequestPaymentUpdate(self._kept.store, letters=self._letters),
            OrderInventory(self._kept.store, letters=self._letters),
        )
        self._tools: dict[str, OrderTool] = {tool.name: tool for tool in made}
        self._facts = OrderFacts(self._kept.store, approvers=approvers)

    @property
    def tools(self) -> Mapping[str, RepairTool]:
        """The repair tools by name."""
        return self._tools

    @property
    def store_kinds(self) -> Sequence[str]:
        """Every kind of store that the orders can be in."""
        return STORES

    def stored_as(self, kind: str) -> WholeStore:
        """The orders in a store of that kind, as a whole."""
        return self._keepings(kind).as_whole()

    def databases(self) -> "Sequence[Database]":
        """The one that the orders are in, if they are in one; and the shared one, into which they may be copied."""
        kinds = {self.store_kind, "postgresql"} if self._shared else {self.store_kind}
        return [each for kind in sorted(kinds) for each in self._keepings(kind).databases()]

    async def store(self) -> StoreInfo:
        """Which store answers, and what its data says of itself."""
        return await asyncio.to_thread(self._kept.info)

    async def scan(self, scope: Scope, page: str | None = None) -> RecordPage:
        """At most 500 orders in scope, each page with the inventory rows of its items.

        Raises StoreDamaged for a row that cannot be parsed, UserError for a page that was never given out.
        """
        return await asyncio.to_thread(self._scan, scope, page)

    async def scan_open(self, scope: Scope, page: str | None = None) -> RecordPage:
        """The same without orders that are closed, which no rule finds anything wrong with."""
        return await asyncio.to_thread(self._scan, scope, page, only_open=True)

    async def browse(self, scope: Scope, window: Window) -> WindowView:
        """Some of the orders with the scope's status, from any one on, or those with a text."""
        return await asyncio.to_thread(lambda: self._kept.open().browse(scope, window))

    async def context(self, record_ids: Sequence[str]) -> tuple[Record, ...]:
        """The named orders and the inventory rows of their items. Raises StoreDamaged for a row that does not parse."""
        return await asyncio.to_thread(lambda: self._kept.open().context(frozenset(record_ids)))

    async def count_open(self, scope: Scope) -> int:
        """How many orders in scope are not closed."""
        return await asyncio.to_thread(lambda: self._kept.open().count_open(scope))

    def head(self, record: Record) -> RecordHead | None:
        """An order in one line; None for an inventory row."""
        if not is_order(record):
            return None
        label = parse_row(OrderLabel, record.data, place=f"record {record.ref!r}, ")
        return RecordHead(record_id=record.record_id, title=shown(label.customer_name), status=shown(label.status))

    def detect(self, records: Sequence[Record], today: datetime) -> tuple[Finding, ...]:
        """What the rules find wrong with these orders."""
        return rules.detect(self._worlds.of(records), today)

    def propose(self, findings: Sequence[Finding], records: Sequence[Record]) -> ProposalSet:
        """What the rules propose, in the order in which actions on one order must run."""
        return proposals.propose(findings, self._worlds.of(records), tools=tuple(self._tools.values()))

    async def done_before(self, record_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """What the ledger knows to have been done for these orders and stands, a few of each: the newest."""
        return await asyncio.to_thread(self._done_before, record_ids)

    def guide(self) -> Guide:
        """What a language model has to know of orders."""
        return briefing.guide(tuple(self._tools.values()))

    def brief(self, records: Sequence[Record]) -> Mapping[str, Mapping[str, object]]:
        """Each order with its own stock rows; addresses are left out."""
        return briefing.brief(records, self._worlds.of(records))

    def terms(self, proposal: Proposal, records: Sequence[Record]) -> Terms:
        """On what terms a proposal could run; no limits at all where its tool does not fit its order."""
        tool = self._tools.get(proposal.tool)
        if tool is None:
            return Terms(answers=frozenset(), limits={})
        return tool.terms_in(self._worlds.of(records), proposal.record_id, proposal.arguments)

    def previews(self, proposals: Sequence[Proposal], records: Sequence[Record]) -> Sequence[tuple[Change, ...]]:
        """What each would change, from what those before it leave of its order and of the inventory."""
        world = self._worlds.of(records)
        orders, stock = dict(world.orders), dict(world.stock)
        now, found = replace(world, orders=orders, stock=stock), list[tuple[Change, ...]]()
        few = len(proposals) <= _FEW
        for each in proposals:
            tool, order = self._tools[each.tool], orders[each.record_id]
            message = tool.message_change(each.arguments) if few else None
            found.append((*tool.preview(order, now, each.arguments), *((message,) if message else ())))
            orders[each.record_id], row = tool.leaves(order, now, each.arguments)
            if row is not None:
                stock[row.item_id] = row
        return found

    async def reset(self, *, replace_own: bool = False) -> Replaced:
        """Restore the shipped data; the store keeps its id, its ledger and its outbox, and a backup."""
        return await asyncio.to_thread(self._kept.reset, replace_own)

    @property
    def import_files(self) -> tuple[str, ...]:
        """The orders first, then the inventory."""
        return FILES

    async def holds_own(self) -> bool:
        """Whether the records that are there are not shipped ones, as they were or as repairs and people left them."""
        return await asyncio.to_thread(self._kept.holds_own)

    async def read_import(self, files: Sequence[Path], *, now: datetime, way: ImportWay = PLAIN) -> ImportDraft:
        """Look two files over. Raises UserError for another number of files, StoreDamaged for a broken store."""
        return await asyncio.to_thread(self._kept.read_import, files, now, way, self._letters.addresses.suppliers)

    async def import_records(self, draft: ImportDraft, *, replace_own: bool = False, tell: Tell = untold) -> Replaced:
        """Replace the records, or merge them; the store keeps its id, its ledger and its outbox, and a backup."""
        if draft.faults or not (draft.contents or isinstance(draft.rows, Spool)):
            raise UserError("what is to be imported has faults; nothing was changed")
        if not isinstance(draft.rows, Spool):
            done = await asyncio.to_thread(self._kept.replace, draft.contents, ABOUT, replace_own)
            tell("importing", 1, 1)
            return done
        try:
            if draft.merge is not None:
                return await asyncio.to_thread(self._kept.merge, draft.rows, tell)
            return await asyncio.to_thread(self._kept.bring, draft.rows, replace_own, tell)
        finally:
            draft.rows.close()

    async def install_cases(self, *, seed: int, per_kind: int = 1, kinds: Collection[str] = ()) -> CaseSet:
        """Begin a new store with generated orders, and say what is right for each."""
        from daper.domains.orders.cases import shop  # 10 ms that other starts need not pay

        made = shop.case_shop(seed=seed, per_kind=per_kind, kinds=kinds)
        if await asyncio.to_thread(self._kept.keeping.dataset) is not None:
            raise UserError(f"there are records in {str(self._folder)!r}; cases need a new store, and nothing was done")
        await asyncio.to_thread(self._kept.keeping.install, made.texts, about=shop.ABOUT)
        return made.cases

    @property
    def facts(self) -> Mapping[str, Fact]:
        """What an order can be told of."""
        return self._facts.facts

    async def tell(self, telling: Telling) -> FactAnswer:
        """Write a fact down in the order, its stock and the ledger, once."""
        answer = await self._facts.tell(telling)
        return answer.model_copy(update={"unsent": await asyncio.to_thread(self._unsent, answer)})

    async def foresee(self, telling: Telling) -> FactAnswer:
        """What telling it would change; nothing is changed."""
        return await self._facts.foresee(telling)

    async def recover(self, *, keep_edited: bool) -> str:
        """Get past a half-done change that met an edited file: keep the edit, or finish the change over it."""
        return await asyncio.to_thread(self._kept.keeping.recover, keep_edited=keep_edited)

    async def adopt(self) -> StoreInfo:
        """Give a copied folder an id of its own; ledger and outbox stay. One that is no copy keeps its id."""
        return await asyncio.to_thread(self._kept.adopt)

    def faults(self) -> Sequence[str]:
        """What is wrong with the texts of messages that a person wrote."""
        return self._letters.templates.faults()

    async def outbox(self) -> tuple[Message, ...]:
        """Every message that the tools sent, in the order of sending."""
        return await asyncio.to_thread(lambda: self._kept.open().outbox())

    async def messages_of(self, key: str) -> tuple[Message, ...]:
        """Those that one effect, or its undo, wrote."""
        return await asyncio.to_thread(lambda: self._kept.open().messages_of(key))

    async def note_message(self, note: MessageNote) -> Noted:
        """Note what became of one, if it is still in an expected state. Raises NotFound."""
        return await asyncio.to_thread(lambda: self._kept.open().note_message(note))

    async def told_since(self, record_ids: Sequence[str], since: datetime) -> Sequence[ToldFact]:
        """What was told of these orders from then on, as the ledger has it."""
        return await asyncio.to_thread(self._told_since, record_ids, since)

    def _told_since(self, record_ids: Sequence[str], since: datetime) -> list[ToldFact]:
        rows = (row for rows in self._kept.open().deeds(record_ids).values() for row in rows if row.kind == "effect")
        told = (row.told for row in rows if row.told is not None and row.told.told_at >= since)
        return sorted(told, key=lambda each: each.told_at)

    async def overtaken(self, message: Message) -> str:
        """That what it asks for was told since; not where only a part of it was."""
        return await asyncio.to_thread(self._overtaken, message)

    def _overtaken(self, message: Message) -> str:
        keeping = self._kept.open()
        if not any(HISTORY in record.data for record in keeping.context(frozenset([message.record_id]))):
            return ""  # nothing was ever told of it, and the ledger need not be gone through
        rows = keeping.deeds([message.record_id]).get(message.record_id, ())
        asked = next((row for row in rows if row.key == message.key and row.kind == "effect"), None)
        if asked is None or asked.tool not in self._tools:
            return ""
        answers = self._tools[asked.tool].answers
        for row in rows:
            told = row.told
            if told is None or row.kind != "effect" or row.at < asked.at or told.fact not in self._facts.facts:
                continue
            in_part = told.arguments.keys() & _IN_PART
            whole = not in_part or row.effect.before.get("status") != row.effect.after.get("status")
            if whole and not answers.keys().isdisjoint(self._facts.facts[told.fact].answers):
                return f"{told.fact} was told on {told.told_at:%Y-%m-%d %H:%M} UTC by {shown(told.by.name)}"
        return ""

    def _unsent(self, answer: FactAnswer) -> tuple[int, ...]:
        """What was written to somebody about what has happened meanwhile, and has certainly not left."""
        keeping, record_id = self._kept.open(), answer.told.record_id
        bears_on = set(self._facts.facts[answer.told.fact].answers)
        asked = [
            deed.key
            for deed in standing(keeping.deeds([record_id]).get(record_id, ()))
            if deed.tool in self._tools and not bears_on.isdisjoint(self._tools[deed.tool].answers)
        ]
        messages = (message for key in asked for message in keeping.messages_of(key))
        return tuple(each.sequence for each in messages if each.state in _NOT_SENT)

    def _scan(self, scope: Scope, page: str | None, *, only_open: bool = False) -> RecordPage:
        if page is not None and not page.isdecimal():
            raise UserError(f"there is no page {page!r}; ask for the first one, and then for the next that it names")
        return self._kept.open().scan(scope, int(page or 0), only_open=only_open)

    def _done_before(self, record_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        ledger = self._kept.open().deeds(record_ids)
        found = {each: tuple(deed.told for deed in standing(rows)[-_MOST_DEEDS:]) for each, rows in ledger.items()}
        return {each: told for each, told in found.items() if told}
