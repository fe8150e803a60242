"""A shop for the tests of the orders domain: a domain on a folder of its own, with its files at hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import simplejson

from daper.core.outcomes import Effect
from daper.domains.orders import shipped
from daper.domains.orders.addresses import IN_PLAY_APPROVER
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.ports import RepairTool, ToolCall

TODAY = datetime(2025, 6, 28, tzinfo=UTC)
Raw = dict[str, object]
BADGES: Mapping[str, str | int] = {
    "order_id": "ORD-002-HJG",
    "inventory_to_order": "STP-ORG-001",
    "inventory_description": "S.P.E.W. Badge Set",
    "quantity": 200,
}
EGG: Mapping[str, str | int] = {
    "order_id": "ORD-004-RHG",
    "approver": IN_PLAY_APPROVER,
    "approval_request_contents": "Please approve one egg.",
}


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A domain on a folder of its own, with its files at hand."""

    domain: OrdersDomain
    folder: Path

    def tool(self, name: str) -> RepairTool:
        return self.domain.tools[name]

    def raw(self, file: str) -> Raw:
        # JSON that this test wrote itself.
        return cast("Raw", simplejson.loads((self.folder / file).read_text(encoding="utf-8"), use_decimal=True))

    def rows(self, file: str) -> list[Raw]:
        return cast("list[Raw]", self.raw(file)["orders" if file == "orders.json" else "inventory"])

    def order(self, order_id: str) -> Raw:
        return next(row for row in self.rows("orders.json") if row["order_id"] == order_id)

    def stock(self, item_id: str) -> Raw:
        return next(row for row in self.rows("inventory.json") if row["item_id"] == item_id)

    def edit(self, file: str, key: str, value: str, /, **fields: object) -> None:
        """Change one row, as a person with an editor would."""
        document = self.raw(file)
        for row in cast("list[Raw]", document["orders" if file == "orders.json" else "inventory"]):
            if row[key] == value:
                row.update(fields)
        (self.folder / file).write_text(simplejson.dumps(document, use_decimal=True), encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        return {name: (self.folder / name).read_bytes() for name in shipped.DOCUMENTS}

    async def call(self, arguments: Mapping[str, str | int], key: str = "k1") -> ToolCall:
        """A call that expects the order and its rows as they are now."""
        order_id = str(arguments["order_id"])
        expected = {record.ref: record.version for record in await self.domain.context([order_id])}
        return ToolCall(key=key, record_id=order_id, arguments=dict(arguments), expected=expected, today=TODAY)

    async def run(self, tool: str, arguments: Mapping[str, str | int], key: str = "k1") -> Effect:
        return await self.tool(tool).apply(await self.call(arguments, key))


async def shipped_shop(folder: Path, **options: str) -> Shop:
    """The shipped records, where a simulated counterparty answers at once."""
    domain = open_domain(folder, options)
    await domain.store()
    return Shop(domain=domain, folder=folder)


async def own_shop(folder: Path, **options: str) -> Shop:
    """The same records as a folder of somebody's own, who says who approves: nobody answers for others at once."""
    _write_shipped(folder)
    return await shipped_shop(folder, **{"approvers": IN_PLAY_APPROVER, **options})


def _write_shipped(folder: Path) -> None:
    folder.mkdir()
    for name, text in shipped.texts("hogwarts").items():
        (folder / name).write_text(text, encoding="utf-8")
