"""What goes wrong with a good reply: small changes that fit together. Each leaves the reply that it gets as it was."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Protocol

from tests.llm.thinking import RAW
from tests.llm.wire import Json

UNKNOWN_RECORD = "ORD-999-NOBODY"


class Mutation(Protocol):
    """What becomes of a reply in a role, in a prompt about these records."""

    def __call__(self, role: str, reply: Json, record_ids: Sequence[str], /) -> Json: ...


def combined(*mutations: Mutation) -> Mutation:
    """One after the other."""

    def mutate(role: str, reply: Json, record_ids: Sequence[str]) -> Json:
        for mutation in mutations:
            reply = mutation(role, reply, record_ids)
        return reply

    return mutate


def in_role(role: str, mutation: Mutation) -> Mutation:
    """Only in this role."""
    return lambda now, reply, record_ids: mutation(now, reply, record_ids) if now == role else deepcopy(reply)


def confidence_of(value: object) -> Mutation:
    """Every confidence becomes this, whatever it is."""

    def change(entry: Json) -> None:
        if "confidence_score" in entry:
            entry["confidence_score"] = value

    return _each(change)


def unknown_record(record_id: str = UNKNOWN_RECORD) -> Mutation:
    """Every entry is about a record that is not there."""
    return _each(lambda entry: entry.update(record_id=record_id))


def hallucinated_tool(name: str = "issue_refund", **arguments: object) -> Mutation:
    """Every action calls a tool that nobody has."""
    return _each_action(lambda action: action.update(tool=name, arguments=dict(arguments)))


def quantity_of(quantity: object) -> Mutation:
    """Every restock is of so many."""
    return arguments_of("order_inventory", quantity=quantity)


def item_of(item: str) -> Mutation:
    """Every restock is of this item."""
    return arguments_of("order_inventory", inventory_to_order=item)


def customer_of(customer_id: str) -> Mutation:
    """Every payment request goes to this customer."""
    return arguments_of("request_payment_update", customer_id=customer_id)


def approver_of(approver: str = "mallory@evil.example") -> Mutation:
    """Every approval is asked of this person."""
    return arguments_of("request_approval", approver=approver)


def arguments_of(tool: str, **arguments: object) -> Mutation:
    """Every action with this tool gets these arguments."""
    return _each_action(lambda action: action["arguments"].update(arguments) if action["tool"] == tool else None)


def nothing_wrong(role: str, reply: Json, record_ids: Sequence[str]) -> Json:
    """All is well."""
    empty: Json = {name: [] for name, value in reply.items() if isinstance(value, list)}
    return (
        deepcopy(reply)
        | empty
        | ({"narrative": "All orders are in order. Nothing had to be done."} if role == "report" else {})
    )


def action_on(record_id: str | None, *, tool: str = "hold_order", **arguments: object) -> Mutation:
    """One more action, perfectly sure of itself, on this record; None: on each record of the prompt."""

    def mutate(role: str, reply: Json, record_ids: Sequence[str]) -> Json:
        changed = deepcopy(reply)
        for target in record_ids if record_id is None else (record_id,):
            _add(role, changed, "actions", _action(target, tool, arguments))
        return changed

    return mutate


def duplicate_action(role: str, reply: Json, record_ids: Sequence[str]) -> Json:
    """Every action stands there twice."""
    changed = deepcopy(reply)
    if role == "plan" and "actions" in changed:
        changed["actions"] += deepcopy(changed["actions"])
    return changed


def accusing(kind: str, *record_ids_accused: str) -> Mutation:
    """These records, or all of the prompt, are suspects and have a problem of this kind."""

    def mutate(role: str, reply: Json, record_ids: Sequence[str]) -> Json:
        changed = deepcopy(reply)
        for target in record_ids_accused or record_ids:
            sure: Json = {"record_id": target, "confidence_score": 1.0}
            _add(role, changed, "suspects", sure | {"why": f"It has a problem: {kind}."})
            _add(role, changed, "problems", sure | {"kind": kind, "issue": f"It has a problem: {kind}."})
        return changed

    return mutate


def swapped(role: str, reply: Json, record_ids: Sequence[str]) -> Json:
    """What is said of one record is said of the next one."""
    changed = deepcopy(reply)
    following = dict(zip(record_ids, (*record_ids[1:], *record_ids[:1]), strict=True))
    for entry in _entries(changed):
        entry["record_id"] = following.get(entry["record_id"], entry["record_id"])
    return changed


def saying(text: str, *, instead: bool = False) -> Mutation:
    """Every free text of the reply says this: after what it says, or instead of it."""

    def mutate(role: str, reply: Json, record_ids: Sequence[str]) -> Json:
        changed = deepcopy(reply)
        said = text.replace("{ids}", ",".join(record_ids))
        for holder in (changed, *_entries(changed)):
            for name in {"why", "issue", "notes", "narrative"} & holder.keys():
                holder[name] = said if instead else f"{holder[name]} {said}".lstrip(" ")
        return changed

    return mutate


def with_keys(**more: object) -> Mutation:
    """The reply and everything in it has keys that nobody asked for."""

    def mutate(role: str, reply: Json, record_ids: Sequence[str]) -> Json:
        changed = deepcopy(reply)
        for holder in (changed, *_entries(changed)):
            holder.update(more)
        return changed

    return mutate


def raw(text: str) -> Mutation:
    """The reply is this text, and no JSON of ours."""
    return lambda role, reply, record_ids: {RAW: text}


def _entries(reply: Json) -> Iterator[Json]:
    for value in reply.values():
        if isinstance(value, list):
            yield from value


def _add(role: str, reply: Json, name: str, entry: Json) -> None:
    wanted = {"suspects": "detect", "problems": "analyze", "actions": "plan"}[name]
    if role == wanted and RAW not in reply:
        reply.setdefault(name, []).append(entry)


def _action(record_id: str, tool: str, arguments: Json) -> Json:
    given = {"reason": "prohibited-item"} if tool == "hold_order" and not arguments else dict(arguments)
    return {"record_id": record_id, "tool": tool, "arguments": given, "confidence_score": 1.0, "why": "It has to be."}


def _each(change: Callable[[Json], None]) -> Mutation:
    def mutate(role: str, reply: Json, record_ids: Sequence[str]) -> Json:
        changed = deepcopy(reply)
        for entry in _entries(changed):
            change(entry)
        return changed

    return mutate


def _each_action(change: Callable[[Json], None]) -> Mutation:
    return in_role("plan", _each(lambda entry: change(entry) if "tool" in entry else None))
