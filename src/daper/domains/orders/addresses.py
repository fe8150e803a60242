"""Who can be written to, and where: from the record, or from the settings. Nobody is made up.

Only in records that are in play, as the shipped ones are, somebody answers whose address is an id, or none that exists.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from daper.core.errors import SettingError
from daper.core.text import folded, shown
from daper.domains.orders.models import Order, StockRow
from daper.domains.orders.wording import unaddressable

IN_PLAY_APPROVER: Final = "approve-orders@diagonalley.co.uk"
APPROVERS: Final = "DAPER_ORDERS_APPROVERS"
SUPPLIERS: Final = "DAPER_ORDERS_SUPPLIERS"
# One mailbox, and nothing that a header or a list of addresses is made of.
_ADDRESS: Final = re.compile(r"[^\s@<>()\[\],;:\\\"']{1,64}@([^\W_][\w-]*\.)+[^\W_][\w-]*")
_LONGEST: Final = 254


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Where somebody is written to; or why they cannot be."""

    to: str = ""
    why: str = ""


def is_address(text: str) -> bool:
    """Whether it is an e-mail address, and one alone."""
    return len(text) <= _LONGEST and text.isprintable() and _ADDRESS.fullmatch(text) is not None


def customer_of(order: Order, *, in_play: bool) -> Reach:
    """Where the customer of an order is written to."""
    named = f"order {order.order_id!r}"
    given = order.email
    if not given and in_play:
        if not order.customer_id:
            return Reach(why=f"{named} names no customer to ask: add its customer_id")
        why = unaddressable(named, "customer_id", order.customer_id)
        return Reach(why=why) if why else Reach(to=order.customer_id)
    for address in (given, order.customer_id):
        if is_address(address):
            return Reach(to=address)
    if why := unaddressable(named, "customer_id", order.customer_id):
        return Reach(why=why)
    if given:
        return Reach(why=f"nobody to ask: {named} has {shown(given)!r} as customer_email, which is no e-mail address")
    return Reach(why=f"nobody to ask: {named} has no e-mail address; add its customer_email")


def supplier_of(row: StockRow, suppliers: Mapping[str, str], *, in_play: bool) -> Reach:
    """Where the supplier of an item is written to: as its row says, else as the settings do."""
    named = f"inventory row {row.item_id!r} ({shown(row.item_name or 'without a name', longest=40)})"
    given = row.supplier_contact
    if given:
        if why := unaddressable(named, "supplier_contact", given):
            return Reach(why=why)
        if in_play or is_address(given):
            return Reach(to=given)
    known = suppliers.get(folded(row.supplier)) or suppliers.get("")
    if known:
        return Reach(to=known)
    if given:
        return Reach(why=f"nobody to ask: {named} has {shown(given)!r} as supplier_contact, which is no e-mail address")
    return Reach(why=f"nobody to ask: {named} names no supplier_contact to order from: add it, or set {SUPPLIERS}")


def approvers_in(text: str) -> tuple[str, ...]:
    """Who may be asked to approve; nobody where nothing is set. Raises SettingError for what is no address."""
    if not text:
        return ()
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not found:
        raise SettingError(f"{APPROVERS} names nobody: {text!r}; give addresses, as ministry@example.org, or unset it")
    for name in found:
        if not is_address(name):
            raise SettingError(f"{APPROVERS} names {shown(name)!r}, which is no e-mail address")
    return found


def suppliers_in(text: str) -> dict[str, str]:
    """Addresses by supplier; by no name that of all others. Raises SettingError for what is no address."""
    return dict(_suppliers(text))


def _suppliers(text: str) -> Iterator[tuple[str, str]]:
    for entry in filter(None, map(str.strip, text.split(","))):
        name, equals, address = entry.rpartition("=")
        if not is_address(address.strip()) or (equals and not name.strip()):
            raise SettingError(
                f"{SUPPLIERS} names {shown(entry)!r}; it must be NAME=ADDRESS, or an address alone for all others"
            )
        yield folded(name), address.strip()


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """What the settings say of whom to write to."""

    approvers: tuple[str, ...] = ()
    suppliers: Mapping[str, str] = field(default_factory=dict[str, str])

    def who_approves(self, *, in_play: bool) -> tuple[str, ...]:
        """Who may be asked to approve; in play somebody always may."""
        return self.approvers or ((IN_PLAY_APPROVER,) if in_play else ())
