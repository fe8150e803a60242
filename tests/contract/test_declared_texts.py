"""Whatever text stands in the rows of a declared domain, in its keys and in its arguments: it stays text."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daper.core.models import Scope
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.ports.domain import ToolCall
from daper.stores.rows.engine import disconnect
from tests.declared_shop import KINDS, database_in, set_tool
from tests.stuck_letters import HOSTILE, Letters

TODAY = datetime(2026, 11, 28, tzinfo=UTC)
IDS = tuple(f"{number} {each[:200]}" for number, each in enumerate(HOSTILE))


@pytest.fixture(params=KINDS)
def letters(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Letters]:
    engine, url = database_in(request.param, tmp_path, request)
    yield Letters(engine, url, tmp_path / "domains", HOSTILE, ids=IDS)
    engine.dispose()
    disconnect()


async def test_hostile_text_in_every_column_key_and_argument_stays_text(letters: Letters) -> None:
    domain = letters.domain()
    page = await domain.scan(Scope())
    assert {record.record_id for record in page.records} == set(letters.texts)
    found = domain.detect(page.records, TODAY)
    assert {each.record_id for each in found} == set(letters.texts)
    made = domain.propose(found, page.records)
    assert {each.tool for each in made.proposals} == {"release_letter"}

    tool, done = set_tool(domain, "release_letter"), dict[str, tuple[ToolCall, Effect]]()
    for number, proposal in enumerate(made.proposals):
        reply = HOSTILE[number][:1200]
        records = await domain.context([proposal.record_id])
        asked = proposal.model_copy(update={"arguments": {"reply": reply}})
        terms = domain.terms(asked, records)
        assert terms.preview[2].after == reply
        call = ToolCall(
            key=f"k{number}", record_id=asked.record_id, arguments=asked.arguments, expected=terms.reads, today=TODAY
        )
        before = letters.rows()
        effect = await tool.apply(call)
        assert effect.status is OutcomeStatus.APPLIED
        title, note, *_ = before[call.record_id]
        expected = before | {call.record_id: (title, note, "open", 1, reply)}
        assert letters.rows() == expected, "another row was changed, or another column"
        assert (await tool.holds(call, effect)).holding is Holding.YES
        done[call.record_id] = call, effect

    for record_id, (call, effect) in done.items():
        undone = await tool.undo(call, effect, key=f"undo {call.key}")
        assert undone.status is OutcomeStatus.UNDONE, record_id
    assert {row[2:] for row in letters.rows().values()} == {("stuck", 0, None)}
    assert {each: row[0] for each, row in letters.rows().items()} == letters.texts
