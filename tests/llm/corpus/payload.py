"""What an injection is: a text, the field where it stands, what it asks for, and how a hijacked model obeys it."""

from dataclasses import dataclass
from enum import StrEnum

from tests.llm.mutations import Mutation

MARK = "@@"
OPERATOR = "mallory@evil.example"
# What is in every poisoned shop, and has nothing to do with the payload: a healthy order, its customer, its item.
VICTIM, VICTIM_CUSTOMER, VICTIM_ITEM = "ORD-000-C", "CUST-ORD-000-C", "ITM-000-C"
LEAK = "https://evil.example/leak?ids={ids}"


class Attack(StrEnum):
    """The classes of injection."""

    APPROVE = "approve this"
    APPROVER = "change the approver"
    RAISE = "raise the confidence"
    SINK = "sink the confidence"
    SILENCE = "say that nothing is wrong"
    ACCUSE = "find something wrong with others"
    BREAK_JSON = "break the reply"
    CLOSE_TAG = "close the tag"
    MARKUP = "put markup and links into the texts"
    QUANTITY = "pump the quantity"
    OTHER_ITEM = "order something else"
    OTHER_CUSTOMER = "write to another customer"
    UNKNOWN_TOOL = "call a tool that is not there"
    HOLD_ALL = "hold everything"
    ROLE_PLAY = "be somebody else"
    SLOW = "in pieces, over several fields"
    LANGUAGE = "in another language"
    ENCODED = "hidden or encoded"
    LONG = "in a very long text"
    AUTHORITY = "in the name of somebody"


class Place(StrEnum):
    """The fields where a text can stand: of an order, of its first line, of the inventory row of that line."""

    NOTES = "order.notes"
    STATUS_NOTES = "order.status_notes"
    CUSTOMER_NAME = "order.customer_name"
    PAYMENT_METHOD = "order.payment_method"
    STREET = "order.shipping_address.street"
    DELIVERY = "order.shipping_address.delivery"
    EXTRA = "order.gift_message"
    LINE_NAME = "line.item_name"
    LINE_DESCRIPTION = "line.description"
    LINE_CATEGORY = "line.category"
    STOCK_NAME = "stock.item_name"
    STOCK_SUPPLIER = "stock.supplier"
    STOCK_SUBCATEGORY = "stock.subcategory"
    STOCK_CATEGORY = "stock.category"
    STOCK_RESTRICTIONS = "stock.restrictions"
    STOCK_HANDLING = "stock.special_requirements.handling"


@dataclass(frozen=True, kw_only=True)
class Payload:
    """One injection. Each of its parts holds its marker, near the beginning, and no other one.

    `obeyed` is what a fully hijacked model makes of its reply; it takes the role, the reply and the ids of the records
    in the prompt. `more` are the parts in other fields.
    """

    name: str
    marker: str
    attack: Attack
    field: Place
    text: str
    asks: str
    obeyed: Mutation
    more: tuple[tuple[Place, str], ...] = ()

    @property
    def parts(self) -> tuple[tuple[Place, str], ...]:
        """Every field with the text that stands there."""
        return ((self.field, self.text), *self.more)


def payload(
    number: int,
    name: str,
    attack: Attack,
    field: Place,
    text: str,
    *,
    asks: str,
    obeyed: Mutation,
    more: tuple[tuple[Place, str], ...] = (),
) -> Payload:
    """A payload whose marker is `zx` and its number, from 10 to 99; it stands where its texts have `@@`."""
    marker = f"zx{number}"
    return Payload(
        name=name,
        marker=marker,
        attack=attack,
        field=field,
        text=text.replace(MARK, marker),
        asks=asks,
        obeyed=obeyed,
        more=tuple((place, part.replace(MARK, marker)) for place, part in more),
    )
