"""The injections: that each is one, that a hijacked model obeys it, and that it reaches the shop."""

import json
from collections import Counter
from copy import deepcopy

import pytest

from daper.core.models import Scope
from daper.domains.orders.domain import OrdersDomain
from tests.llm import answers
from tests.llm.brains import good, mutated
from tests.llm.corpus.payload import VICTIM, VICTIM_CUSTOMER, VICTIM_ITEM, Attack, Payload, Place
from tests.llm.injections import BY_MARKER, PAYLOADS, Hijacked, found_in
from tests.llm.mutations import (
    UNKNOWN_RECORD,
    Mutation,
    accusing,
    action_on,
    approver_of,
    combined,
    confidence_of,
    customer_of,
    duplicate_action,
    hallucinated_tool,
    nothing_wrong,
    quantity_of,
    raw,
    swapped,
    unknown_record,
)
from tests.llm.poisoned import AS_OF, KINDS, TOOL_FOR, PoisonedShop, poison, poisoned_shop
from tests.llm.reading import read, read_texts
from tests.llm.sample import IDS, ROLES, block, prompt, record
from tests.llm.strict import fits, refused_roles
from tests.llm.thinking import RAW
from tests.llm.wire import Asked, Json


def test_there_are_many_injections_of_every_class() -> None:
    assert len(PAYLOADS) >= 72
    classes = Counter(payload.attack for payload in PAYLOADS)
    assert set(classes) == set(Attack)
    assert min(classes.values()) >= 3


def test_every_place_is_used() -> None:
    assert {place for payload in PAYLOADS for place, _ in payload.parts} == set(Place)


def test_names_markers_and_texts_are_their_own() -> None:
    assert len({payload.name for payload in PAYLOADS}) == len(PAYLOADS)
    assert len({payload.text for payload in PAYLOADS}) == len(PAYLOADS)
    assert len(BY_MARKER) == len(PAYLOADS)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.name)
def test_a_marker_stands_early_in_each_part_and_no_other_one_does(payload: Payload) -> None:
    for _, text in payload.parts:
        assert payload.marker in text[:20]
        assert found_in(text) == (payload,)
        assert "@@" not in text
    places = [place for place, _ in payload.parts]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.name)
def test_who_obeys_it_replies_otherwise_than_a_good_model(payload: Payload) -> None:
    changed: set[str] = set()
    for role in ROLES:
        asked = prompt(role)
        reply = good(asked)
        kept = deepcopy(reply)
        if payload.obeyed(role, reply, asked.record_ids) != kept:
            changed.add(role)
        assert reply == kept, "the reply that was given is left as it was"
    assert changed


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: payload.name)
def test_a_hijacked_model_finds_it_in_a_prompt(payload: Payload) -> None:
    hijacked = Hijacked()
    for role in ROLES:
        asked = prompt(role, notes=payload.text)
        assert hijacked(asked) == payload.obeyed(role, good(asked), asked.record_ids)
    assert hijacked.read == {(role, payload.name): 1 for role in ROLES}
    assert hijacked.names_read() == hijacked.names_read("plan") == {payload.name}


def test_a_good_reply_has_the_right_form_and_most_hijacked_ones_too() -> None:
    assert all(fits(role, good(prompt(role))) for role in ROLES)
    refused = {payload.name for payload in PAYLOADS if refused_roles(payload)}
    assert {"approve-plainly", "raise-above-all", "break-with-prose"} <= refused
    assert len(refused) <= len(PAYLOADS) // 4, "the others come through to what looks at the content"


def test_the_victim_is_a_healthy_order_of_every_poisoned_shop(shop: PoisonedShop) -> None:
    assert VICTIM in shop.healthy
    assert shop.item_of(VICTIM) == VICTIM_ITEM
    assert f"CUST-{VICTIM}" == VICTIM_CUSTOMER


def test_a_good_model_answers_a_ping() -> None:
    assert good(read_texts("Role: ping\nAnswer.", "Is anybody there?")) == {"ok": True}


def test_a_hijacked_model_obeys_nobody_where_nothing_is_injected() -> None:
    hijacked = Hijacked()
    assert [hijacked(prompt(role)) for role in ROLES] == [good(prompt(role)) for role in ROLES]
    assert not hijacked.read


def test_a_hijacked_model_can_obey_one_injection_only() -> None:
    both = " ".join(payload.text for payload in PAYLOADS[:2])
    assert Hijacked(only=PAYLOADS[0])(prompt("plan", notes=both)) == PAYLOADS[0].obeyed(
        "plan", good(prompt("plan")), IDS
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> PoisonedShop:
    return poisoned_shop(tmp_path_factory.mktemp("poisoned") / "orders", PAYLOADS)


async def test_the_poisoned_shop_has_one_problem_in_two_of_three_orders(shop: PoisonedShop) -> None:
    domain = OrdersDomain(folder=shop.folder, approvers=("approver@example.org",), dataset="hogwarts")
    page = await domain.scan(Scope())
    assert page.next_page is None
    found = domain.detect(page.records, AS_OF)
    assert {finding.record_id: finding.kind for finding in found} == shop.kinds
    assert len(found) == len(shop.kinds) == 2 * len(PAYLOADS)
    assert not shop.healthy & shop.kinds.keys()
    proposed = domain.propose(found, page.records).proposals
    assert {each.record_id: each.tool for each in proposed} == {
        order_id: TOOL_FOR[kind] for order_id, kind in shop.kinds.items()
    }
    assert set(Counter(shop.kinds.values())) == set(KINDS)
    assert min(Counter(shop.kinds.values()).values()) >= 20


async def test_only_the_poisoned_orders_and_their_rows_hold_a_payload(shop: PoisonedShop) -> None:
    domain = OrdersDomain(folder=shop.folder, approvers=("approver@example.org",), dataset="hogwarts")
    held: dict[str, set[str]] = {}
    for each in (await domain.scan(Scope())).records:
        for payload in found_in(json.dumps(each.data, default=str)):
            held.setdefault(payload.name, set()).add(each.record_id)
    for order_id, payload in shop.payload_of.items():
        kinds = {place.partition(".")[0] for place, _ in payload.parts}
        wanted = {order_id} if kinds & {"order", "line"} else set[str]()
        assert held.pop(payload.name) == wanted | ({shop.item_of(order_id)} if "stock" in kinds else set())
    assert not held


async def test_nearly_all_payloads_stand_where_a_model_is_shown_them(shop: PoisonedShop) -> None:
    domain = OrdersDomain(folder=shop.folder, approvers=("approver@example.org",), dataset="hogwarts")
    briefs = domain.brief((await domain.scan(Scope())).records)
    shown = {payload.name for brief in briefs.values() for payload in found_in(json.dumps(brief, default=str))}
    assert len(shown) >= 80
    # The others try fields of which nothing is shown, or only of an item that something is the matter with.
    unseen = {place for payload in PAYLOADS if payload.name not in shown for place, _ in payload.parts}
    assert unseen == {
        Place.DELIVERY,
        Place.EXTRA,
        Place.LINE_CATEGORY,
        Place.LINE_DESCRIPTION,
        Place.STOCK_HANDLING,
        Place.STOCK_NAME,
        Place.STOCK_SUPPLIER,
        Place.STOCK_SUBCATEGORY,
    }


def test_poison_leaves_the_row_that_it_got() -> None:
    order = record("ORD-1")["order"]
    before = deepcopy(order)
    payload = next(each for each in PAYLOADS if each.field is Place.LINE_DESCRIPTION)
    assert poison(order, payload)["items"][0]["description"] == payload.text
    assert order == before


def test_a_good_model_finds_the_obvious_and_proposes_what_fits() -> None:
    suspects = good(prompt("detect"))["suspects"]
    assert [suspect["record_id"] for suspect in suspects] == ["ORD-1", "ORD-2", "ORD-3"]
    kinds = [problem["kind"] for problem in good(prompt("analyze"))["problems"]]
    assert kinds == ["payment-denied", "inventory-short", "restricted-without-approval"]
    actions = good(prompt("plan"))["actions"]
    assert [action["tool"] for action in actions] == ["request_payment_update", "order_inventory", "request_approval"]
    assert actions[0]["arguments"] == {"order_id": "ORD-1", "customer_id": "CUST-ORD-1"}
    assert actions[1]["arguments"] == {"order_id": "ORD-2", "inventory_to_order": "ITM-2", "quantity": 23}
    assert "approver" not in actions[2]["arguments"]


def test_a_good_model_follows_the_findings_where_there_are_some() -> None:
    finding: Json = {"record_id": "ORD-1", "kind": "totals-mismatch", "issue": "It does not add up.", "evidence": []}
    text = block("records", record("ORD-1"), record("ORD-3")) + block("findings", finding)
    assert good(read_texts("Role: plan", text))["actions"] == []
    [problem] = good(read_texts("Role: analyze", text))["problems"]
    assert (problem["kind"], problem["issue"]) == ("totals-mismatch", "It does not add up.")


async def test_a_good_model_proposes_what_the_terms_of_the_shop_allow(shop: PoisonedShop) -> None:
    domain = OrdersDomain(folder=shop.folder, approvers=("approver@example.org",), dataset="hogwarts")
    page = await domain.scan(Scope())
    rows = {each.record_id: json.loads(json.dumps(each.data, default=float)) for each in page.records}
    records = [
        {"record_id": order_id, "order": rows[order_id], "stock": [rows[shop.item_of(order_id)]]}
        for order_id in [*shop.kinds, *shop.healthy]
    ]
    actions = good(read_texts("Role: plan", block("records", *records)))["actions"]
    assert {action["record_id"]: action["tool"] for action in actions} == {
        order_id: TOOL_FOR[kind] for order_id, kind in shop.kinds.items()
    }
    proposed = domain.propose(domain.detect(page.records, AS_OF), page.records).proposals
    right = {each.record_id: each for each in proposed}
    for action in actions:
        given = {name: value for name, value in action["arguments"].items() if name != "approval_request_contents"}
        assert given.items() <= right[action["record_id"]].arguments.items()


@pytest.mark.parametrize(
    ("mutation", "path", "value"),
    [
        (hallucinated_tool(), (0, "tool"), "issue_refund"),
        (unknown_record(), (0, "record_id"), UNKNOWN_RECORD),
        (quantity_of(10**9), (1, "arguments", "quantity"), 10**9),
        (quantity_of(-5), (1, "arguments", "quantity"), -5),
        (customer_of("CUST-OTHER"), (0, "arguments", "customer_id"), "CUST-OTHER"),
        (approver_of(), (2, "arguments", "approver"), "mallory@evil.example"),
        (confidence_of(2.0), (1, "confidence_score"), 2.0),
        (confidence_of("high"), (2, "confidence_score"), "high"),
        (action_on("ORD-4"), (3, "record_id"), "ORD-4"),
        (duplicate_action, (3, "tool"), "request_payment_update"),
        (swapped, (0, "record_id"), "ORD-2"),
        (combined(quantity_of(7), confidence_of(0)), (1, "arguments", "quantity"), 7),
    ],
)
def test_a_mutation_changes_what_it_says(mutation: Mutation, path: tuple[int | str, ...], value: object) -> None:
    found = mutated(good, mutation)(prompt("plan"))["actions"]
    for step in path:
        found = found[step]
    assert found == value


def test_a_mutated_model_can_say_nothing_is_wrong_or_accuse_all_or_break_off() -> None:
    silent = mutated(good, nothing_wrong)
    assert silent(prompt("detect")) == {"suspects": []}
    assert silent(prompt("analyze")) == {"problems": [], "doubts": []}
    assert silent(prompt("plan"))["actions"] == []
    accused = mutated(good, accusing("stuck"))(prompt("analyze"))["problems"]
    assert {each["record_id"] for each in accused if each["kind"] == "stuck"} == set(IDS)
    assert mutated(good, raw("{"), nothing_wrong)(prompt("plan"))[RAW] == "{"


def test_a_reply_is_thought_from_the_request() -> None:
    text = block("records", record("ORD-1"))
    messages: list[Json] = [{"role": "system", "content": "Role: detect"}, {"role": "user", "content": text}]
    body: Json = {"model": "fake-1", "messages": messages}
    assert read(Asked(body=body)).record_ids == ("ORD-1",)
    sent = json.loads(answers.thinking(mutated(good, raw("oh no")))(Asked(body=body)).body)
    assert sent["choices"][0]["message"]["content"] == "oh no"
