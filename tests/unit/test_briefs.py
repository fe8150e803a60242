"""What a model is shown: compact, in batches, and unable to pass for anything but data."""

import json
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from daper.agents.llm.briefs import MOST_PER_BATCH, batches, brief_lines, compact, line, tokens
from daper.core.messages import CycleRef
from daper.core.models import Scope
from daper.domains.orders.addresses import IN_PLAY_APPROVER
from daper.domains.orders.domain import OrdersDomain
from daper.ports import Work

TODAY = datetime(2025, 6, 28, tzinfo=UTC)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=400),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
CYCLE = CycleRef(repair_id="r", cycle_id="c", domain="orders", store_id="s", today=TODAY)


async def work(folder: Path, dataset: str = "hogwarts") -> Work:
    domain = OrdersDomain(folder=folder, approvers=(IN_PLAY_APPROVER,), dataset=dataset)
    records = (await domain.scan(Scope())).records
    ids = tuple(record.record_id for record in records if domain.head(record))
    return Work(cycle=CYCLE, domain=domain, records=records, record_ids=ids)


async def test_an_order_is_shown_with_its_own_stock_and_without_addresses(tmp_path: Path) -> None:
    lines = brief_lines(await work(tmp_path))

    badges = json.loads(lines["ORD-002-HJG"])
    assert badges["record_id"] == "ORD-002-HJG"
    assert {row["item_id"] for row in badges["stock"]} == {row["item_id"] for row in badges["order"]["items"]}
    [short] = [row for row in badges["stock"] if row["item_id"] == "STP-ORG-001"]
    assert (short["available_stock"], short["reorder_quantity"], short["max_stock_level"]) == (187, 200, 500)
    plain = next(row for row in badges["stock"] if row["item_id"] != "STP-ORG-001")
    assert plain.keys() == {"item_id", "available_stock"}
    whole = "".join(lines.values())
    assert "Privet Drive" not in whole
    assert "shipping_address" not in whole


async def test_no_record_of_the_troubled_shop_can_open_or_close_a_block(tmp_path: Path) -> None:
    for text in brief_lines(await work(tmp_path, "trouble")).values():
        assert "<" not in text
        assert ">" not in text
        assert "\n" not in text
        assert json.loads(text)


@given(anything)
def test_whatever_a_record_holds_is_one_line_of_json_without_tags(value: object) -> None:
    text = line({"record_id": "r", "record": compact(value)})
    assert not set("<>\n\r\x00\x1b\u202e") & set(text)
    assert json.loads(text)["record_id"] == "r"


def test_empty_fields_say_nothing_and_long_ones_are_cut() -> None:
    assert compact({"a": "", "b": None, "c": [], "d": 0, "e": False}) == {"d": 0, "e": False}
    assert str(compact("x" * 1000)).endswith("… (700 more characters)")


@given(st.lists(st.integers(min_value=1, max_value=9000), max_size=80), st.integers(min_value=100, max_value=5000))
def test_batches_lose_nothing_and_keep_to_the_budget(lengths: list[int], budget: int) -> None:
    lines = {f"r{number}": "x" * length for number, length in enumerate(lengths)}
    made = batches(lines, budget=budget)

    assert [record_id for batch in made for record_id in batch] == list(lines)
    for batch in made:
        assert 0 < len(batch) <= MOST_PER_BATCH
        assert len(batch) == 1 or sum(tokens(lines[record_id]) for record_id in batch) <= budget


def test_the_prompts_hold_instructions_for_every_role_and_nothing_of_any_record() -> None:
    folder = Path(__file__).parents[2] / "src" / "daper" / "agents" / "prompts"
    assert {path.stem for path in folder.glob("*.md")} == {"detect", "analyze", "plan", "report"}
    for path in folder.glob("*.md"):
        text = path.read_text("utf-8")
        assert text.startswith(f"Role: {path.stem}\n")
        assert "data" in text
        assert "ORD-" not in text
