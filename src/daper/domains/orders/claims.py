"""What open orders take of each item, kept by the database beside the orders, by whatever tool they are written.

So that what earlier orders take is a sum over an index, and no order has to be read for it. Closed ones are not there;
which of the others takes its goods from the stock is looked up by their statuses.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from pydantic import ValidationError
from sqlalchemy import BigInteger, ColumnElement, Connection, Numeric, Text, case, column, func, or_, select, table

from daper.domains.orders.fields import Number, number
from daper.domains.orders.lookalikes import POSTGRESQL, SQLITE, folded_by_sql, look
from daper.domains.orders.models import StockRow
from daper.domains.orders.statuses import CLOSED, RESTOCK_DELIVERED, RESTOCK_ORDERED, OrderStatus, normal, takes_stock
from daper.domains.orders.world import item_ids
from daper.stores.sql.document_rows import DocumentRows, Row, can_be_asked

TABLE: Final = "daper_orders_claims"
CLAIMS: Final = table(
    TABLE,
    column("item_id", Text),
    column("at", Text),
    column("order_id", Text),
    column("position", BigInteger),
    column("status", Text),
    column("restocked", BigInteger),
    column("claim", Numeric),
)
_STOCK: Final = table("daper_inventory", column("item_id", Text))
_ASKED: Final = 500  # places in one statement
_ASKED_EACH: Final = 100  # items in one statement that names a number for each
_MOST_KEPT: Final = 100_000
_EPSILON: Final = 1e-9  # SQLite adds up binary fractions
_NEVER: Final = "9999"  # of an order without a date: behind all that have one


def create_claims(db: Connection) -> None:
    """Make the table, and what keeps it; fill it from the orders that are there."""
    postgresql = db.dialect.name == "postgresql"
    for statement in _postgresql() if postgresql else _sqlite():
        db.exec_driver_sql(statement)
    db.exec_driver_sql(
        f"CREATE INDEX daper_inventory_by_look ON daper_inventory ({POSTGRESQL if postgresql else SQLITE})"
    )


def near_rows(rows: DocumentRows, items: Iterable[str]) -> dict[str, Row]:
    """The inventory rows whose ids look like these, which are not there."""
    wanted = {look(item) for item in items}
    folds = sorted({fold for item in items for fold in folded_by_sql(item) if can_be_asked(fold)})
    found: set[str] = set()
    for start in range(0, len(folds), _ASKED):
        condition = rows.expression(sqlite=SQLITE, postgresql=POSTGRESQL).in_(folds[start : start + _ASKED])
        ids = (str(each["item_id"]) for each in rows.beside(select(_STOCK.c.item_id).where(condition)))
        found |= {item for item in ids if look(item) in wanted}
    return rows.find("inventory", found)


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """The order at which an item runs out: its place in the queue, and what those before it take."""

    at: str
    order_id: str
    before: Number
    claim: Number

    def ahead_of(self, at: str, order_id: str, available: Number) -> Number:
        """What earlier orders take from the sight of one in this place: for those before the cut there is enough."""
        if (at, order_id) == (self.at, self.order_id):
            return self.before
        if (at, order_id) < (self.at, self.order_id):
            return 0
        return available if available > 0 else self.claim


@dataclass(kw_only=True)
class Queue:
    """Who gets what of each item, as far as it was looked at; for the time of one look through the orders."""

    cuts: dict[tuple[str, Number], _Cut | None] = field(default_factory=dict[tuple[str, Number], _Cut | None])

    def ahead(
        self, rows: DocumentRows, orders: Collection[Row], stock: Mapping[str, Row]
    ) -> dict[int, dict[str, Number]]:
        """By the place of an order and item how many earlier open orders take; no entry where that leaves enough."""
        takers = [row for row in orders if takes_stock(_state(row.raw.get("status")))]
        wanted = {item for row in takers for item in item_ids(row.raw)}
        counted = {item: much for item in wanted if item in stock and (much := _available(stock[item])) is not None}
        open_ = [each for each in rows.values("orders", "status") if takes_stock(_state(each))]
        cuts = self._cuts(rows, {item: much for item, much in counted.items() if much != 0}, _in_queue(open_))
        found: dict[int, dict[str, Number]] = {}
        if not cuts:
            return found
        places = [row.position for row in takers]
        for start in range(0, len(places), _ASKED):
            mine = select(CLAIMS.c["position"], CLAIMS.c.item_id, CLAIMS.c.at, CLAIMS.c.order_id)
            for each in rows.beside(mine.where(CLAIMS.c["position"].in_(places[start : start + _ASKED]))):
                item = str(each["item_id"])
                if item in cuts:
                    much = cuts[item].ahead_of(str(each["at"]), str(each["order_id"]), counted[item])
                    found.setdefault(int(str(each["position"])), {})[item] = much
        return found

    def _cuts(
        self, rows: DocumentRows, available: Mapping[str, Number], in_queue: ColumnElement[bool]
    ) -> dict[str, _Cut]:
        new = {item: much for item, much in available.items() if (item, much) not in self.cuts}
        if new:
            if len(self.cuts) + len(new) > _MOST_KEPT:
                self.cuts.clear()
                new = dict(available)
            found = _find_cuts(rows, new, in_queue)
            self.cuts |= {(item, much): found.get(item) for item, much in new.items()}
        known = {item: self.cuts[item, much] for item, much in available.items()}
        return {item: cut for item, cut in known.items() if cut is not None}


def _find_cuts(rows: DocumentRows, available: Mapping[str, Number], in_queue: ColumnElement[bool]) -> dict[str, _Cut]:
    """Where each item runs out, if it does."""
    c, found, items = CLAIMS.c, dict[str, _Cut](), sorted(available)
    scarce: list[str] = []
    for start in range(0, len(items), _ASKED):
        some = c.item_id.in_(items[start : start + _ASKED])
        wanted = select(c.item_id, func.sum(c.claim).label("claimed")).where(some, in_queue).group_by(c.item_id)
        for each in rows.beside(wanted):
            if Decimal(str(each["claimed"])) > max(0, available[str(each["item_id"])]):
                scarce.append(str(each["item_id"]))
    for start in range(0, len(scarce), _ASKED_EACH):
        part = scarce[start : start + _ASKED_EACH]
        total = func.sum(c.claim).over(partition_by=c.item_id, order_by=(c.at, c.order_id))
        queue = select(c.item_id, c.at, c.order_id, c.claim, total.label("total"))
        queued = queue.where(c.item_id.in_(part), c.claim > 0, in_queue).subquery()
        enough = case({item: float(max(0, available[item])) + _EPSILON for item in part}, value=queued.c.item_id)
        runs_out = (queued.c.total > enough) & (queued.c.total - queued.c.claim <= enough)
        for each in rows.beside(select(queued).where(runs_out)):
            before = Decimal(str(each["total"])) - Decimal(str(each["claim"]))
            found[str(each["item_id"])] = _Cut(
                at=str(each["at"]),
                order_id=str(each["order_id"]),
                before=number(round(before, 9)),
                claim=number(Decimal(str(each["claim"]))),
            )
    return found


def _in_queue(statuses: Iterable[str | None]) -> ColumnElement[bool]:
    """Of the orders with these statuses those that take from what is in stock.

    One that says that it waits for a restock, and names none, waits for all of it.
    """
    found = tuple(statuses)
    waiting = [each for each in found if each and _state(each) == normal(OrderStatus.RESTOCK_ORDERED)]
    return or_(_among(each for each in found if each not in waiting), _among(waiting) & (CLAIMS.c.restocked == 1))


def _among(statuses: Iterable[str | None]) -> ColumnElement[bool]:
    found = tuple(statuses)
    some = CLAIMS.c.status.in_([each for each in found if each is not None])
    return or_(some, CLAIMS.c.status.is_(None)) if None in found else some


def _state(status: object) -> str:
    return normal(str(status or ""))


def _available(row: Row) -> Number | None:
    try:
        return StockRow.model_validate(row.raw).available
    except ValidationError:  # whoever judges it says what is wrong with it
        return None


def _words(words: frozenset[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))


def _normal(text: str) -> str:
    return f"replace(replace(lower(trim({text})), '_', '-'), ' ', '-')"


def _sqlite() -> Iterator[str]:
    yield (
        f"CREATE TABLE {TABLE} (position INTEGER NOT NULL, item_id TEXT NOT NULL, at TEXT NOT NULL, order_id TEXT,"
        " status TEXT, restocked INTEGER NOT NULL, claim NUMERIC NOT NULL)"
    )
    yield f"CREATE INDEX {TABLE}_by_item ON {TABLE} (item_id, at, order_id, status, restocked, claim)"
    yield f"CREATE INDEX {TABLE}_by_position ON {TABLE} (position)"
    gone, put = (f"DELETE FROM {TABLE} WHERE position = OLD.position;", f"{_sqlite_rows('NEW', '')};")  # noqa: S608 - names of ours
    yield f"CREATE TRIGGER {TABLE}_insert AFTER INSERT ON daper_orders BEGIN {put} END"
    yield f"CREATE TRIGGER {TABLE}_update AFTER UPDATE OF data, position ON daper_orders BEGIN {gone} {put} END"
    yield f"CREATE TRIGGER {TABLE}_delete AFTER DELETE ON daper_orders BEGIN {gone} END"
    yield _sqlite_rows("o", "daper_orders o, ")


def _sqlite_rows(row: str, source: str) -> str:
    data, key, state = f"{row}.data", "json_extract(value, '$.item_id')", "json_extract(value, '$.state')"

    def is_number(name: str) -> str:
        return f"json_type(value, '$.{name}') IN ('integer', 'real')"

    def restocked(words: frozenset[str], much: str) -> str:
        return (
            f"coalesce((SELECT sum({much}) FROM json_each({data}, '$.restocks') WHERE type = 'object' AND"  # noqa: S608
            f" {key} = line.item_id AND {is_number('quantity')} AND {_normal(state)} IN ({_words(words)})), 0)"
        )

    much, status = "json_extract(value, '$.quantity')", f"json_extract({data}, '$.status')"
    took = f"CASE WHEN {is_number('taken')} THEN json_extract(value, '$.taken') ELSE {much} END"
    date = f"CASE WHEN json_type({data}, '$.order_date') = 'text' THEN json_extract({data}, '$.order_date') END"
    lines = (
        f"SELECT {{position}} {key} AS item_id, sum({much}) AS needed FROM {{source}}json_each({data}, '$.items')"  # noqa: S608
        f" WHERE type = 'object' AND json_type(value, '$.item_id') = 'text' AND {is_number('quantity')} GROUP BY {{by}}"
    )
    if source:
        inner = lines.format(position=f"{row}.position AS position,", source=source, by=f"{row}.position, 2")
        of = f"({inner}) line JOIN daper_orders {row} ON {row}.position = line.position"
    else:
        of = f"({lines.format(position='', source='', by='1')}) line"
    return (
        f"INSERT INTO {TABLE} (position, item_id, at, order_id, status, restocked, claim) SELECT {row}.position,"  # noqa: S608
        f" line.item_id, coalesce(strftime('%Y-%m-%d %H:%M:%f', {date}), '{_NEVER}'),"
        f" json_extract({data}, '$.order_id'), json_extract({data}, '$.status'),"
        f" json_type({data}, '$.restocks') IS 'array' AND json_array_length({data}, '$.restocks') > 0,"
        f" max(0, max(0, line.needed - {restocked(RESTOCK_DELIVERED, took)}) - {restocked(RESTOCK_ORDERED, much)})"
        f" FROM {of} WHERE coalesce({_normal(status)}, '') NOT IN ({_words(CLOSED)})"
    )


def _postgresql() -> Iterator[str]:
    yield (
        f'CREATE TABLE {TABLE} (position BIGINT NOT NULL, item_id TEXT COLLATE "C" NOT NULL,'
        ' at TEXT COLLATE "C" NOT NULL, order_id TEXT COLLATE "C", status TEXT, restocked INTEGER NOT NULL,'
        " claim NUMERIC NOT NULL)"
    )
    yield f"CREATE INDEX {TABLE}_by_item ON {TABLE} (item_id, at, order_id) INCLUDE (status, restocked, claim)"
    yield f"CREATE INDEX {TABLE}_by_position ON {TABLE} (position)"

    state, status = "v ->> 'state'", "doc ->> 'status'"

    def array(name: str) -> str:
        of = f"doc -> '{name}'"
        return f"json_array_elements(CASE WHEN json_typeof({of}) = 'array' THEN {of} ELSE '[]' END)"

    def restocked(words: frozenset[str], much: str) -> str:
        return (
            f"coalesce((SELECT sum({much}) FROM {array('restocks')} r(v) WHERE json_typeof(v) = 'object'"  # noqa: S608
            f" AND v ->> 'item_id' = line.item_id AND json_typeof(v -> 'quantity') = 'number'"
            f" AND {_normal(state)} IN ({_words(words)})), 0)"
        )

    much = "(v ->> 'quantity')::numeric"
    took = f"CASE WHEN json_typeof(v -> 'taken') = 'number' THEN (v ->> 'taken')::numeric ELSE {much} END"
    claimed = (
        f"INSERT INTO {TABLE} (position, item_id, at, order_id, status, restocked, claim) SELECT place, line.item_id,"  # noqa: S608
        " moment, doc ->> 'order_id', doc ->> 'status', CASE WHEN json_typeof(doc -> 'restocks') = 'array' AND"
        " json_array_length(doc -> 'restocks') > 0 THEN 1 ELSE 0 END,"
        f" greatest(0, greatest(0, line.needed - {restocked(RESTOCK_DELIVERED, took)}) -"
        f" {restocked(RESTOCK_ORDERED, much)}) FROM (SELECT v ->> 'item_id' AS item_id, sum({much}) AS needed"
        f" FROM {array('items')} l(v) WHERE json_typeof(v) = 'object' AND json_typeof(v -> 'item_id') = 'string'"
        " AND json_typeof(v -> 'quantity') = 'number' GROUP BY 1) line"
        f" WHERE coalesce({_normal(status)}, '') NOT IN ({_words(CLOSED)});"
    )
    nul = "regexp_replace(data::text, '(?<!\\\\)((?:\\\\\\\\)*)\\\\u0000', '\\1', 'g')::json"
    yield (
        f"CREATE FUNCTION {TABLE}_put(place bigint, data json) RETURNS void LANGUAGE plpgsql SECURITY DEFINER"
        " SET search_path FROM CURRENT SET timezone = 'UTC' AS $body$ DECLARE doc json; moment text; BEGIN"
        " doc := CASE WHEN position('\\u0000' IN data::text) = 0 THEN data ELSE " + nul + " END;"
        f" moment := '{_NEVER}'; BEGIN IF json_typeof(doc -> 'order_date') = 'string'"
        " AND doc ->> 'order_date' ~ '^[0-9]{4}-[0-9][0-9]-[0-9][0-9]' THEN moment :="
        " to_char((doc ->> 'order_date')::timestamptz, 'YYYY-MM-DD HH24:MI:SS.MS'); END IF;"
        " EXCEPTION WHEN OTHERS THEN NULL; END;"
        f" BEGIN {claimed} EXCEPTION WHEN OTHERS THEN NULL; END; END $body$"
    )
    gone = f"DELETE FROM {TABLE} WHERE position = OLD.position"  # noqa: S608 - names of ours
    yield (
        f"CREATE FUNCTION {TABLE}_keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT"
        f" AS $body$ BEGIN IF TG_OP <> 'INSERT' THEN {gone}; END IF;"
        f" IF TG_OP <> 'DELETE' THEN PERFORM {TABLE}_put(NEW.position, NEW.data); END IF; RETURN NULL; END $body$"
    )
    yield (
        f"CREATE TRIGGER {TABLE}_keep AFTER INSERT OR DELETE OR UPDATE OF data, position ON daper_orders"
        f" FOR EACH ROW EXECUTE FUNCTION {TABLE}_keep()"
    )
    yield f"SELECT count({TABLE}_put(position, data)) FROM daper_orders"  # noqa: S608 - names of ours
