"""Telling facts in a chat: the person confirms what would change, and without their yes nothing is written down."""

from pathlib import Path
from typing import cast

import mcp.types as types
import pytest
from temporalio.testing import WorkflowEnvironment

from daper.core.access import Access
from daper.settings import ChatApproval
from tests.workflow.chat import Answers, Era, chat_with, closes, declines, no, yes
from tests.workflow.shop import HARRY, Shop
from tests.workflow.test_facts import RON, bring_own

both_eras = pytest.mark.parametrize("era", ["auto", "legacy"])


@pytest.fixture
def shop(temporal_env: WorkflowEnvironment, tmp_path: Path) -> Shop:
    """A person's own records, with nobody at work."""
    bring_own(tmp_path)
    return Shop(temporal_env, tmp_path, domains=None, indexed=True)


@both_eras
async def test_what_the_form_showed_is_written_down_once(shop: Shop, era: Era) -> None:
    async with chat_with(shop, era=era, answers=yes) as chat:
        told = await chat.call("tell_record", record_id=RON, fact="paid", source="Gringotts")
        again = await chat.call("tell_record", record_id=RON, fact="paid")

    [question] = chat.asked
    assert f'Write down that "{RON}" is "paid", as Harry (os-user)?' in question
    assert 'from: "Gringotts"' in question
    assert 'status: "payment-denied" → "processing"' in question
    assert (told["told"], told["known"], told["problems"], again["known"]) == (True, False, [], True)
    assert "Gringotts, says Harry (os-user), mcp" in told["evidence"][0]
    history = cast("list[dict[str, object]]", shop.order(RON)["status_history"])
    assert [each["fact"] for each in history if "fact" in each] == ["paid"]
    assert shop.status(RON) == "processing"


@both_eras
@pytest.mark.parametrize("answers", [no, declines, closes])
async def test_without_a_yes_nothing_is_written_down(shop: Shop, era: Era, answers: Answers) -> None:
    async with chat_with(shop, era=era, answers=answers) as chat:
        told = await chat.call("tell_record", record_id=RON, fact="cancelled")
    assert (told["told"], shop.status(RON)) == (False, "payment-denied")
    assert told["message"].startswith("nothing was written down: ")
    if answers is not no:
        assert f"daper records tell {RON} cancelled" in told["message"]


async def test_a_client_without_forms_gets_the_command_line(shop: Shop) -> None:
    async with chat_with(shop) as chat:
        why = await chat.refused(
            "tell_record", record_id=RON, fact="paid", source="the bank", at="2026-11-29T14:30:00Z"
        )
    assert "cannot show the person a form" in why
    assert f"daper records tell {RON} paid --by 'the bank' --at 2026-11-29T14:30:00Z" in why
    assert shop.status(RON) == "payment-denied"


async def test_a_client_that_is_trusted_needs_no_form(shop: Shop) -> None:
    async with chat_with(shop, approval=ChatApproval.CLIENT) as chat:
        told = await chat.call("tell_record", record_id=RON, fact="paid")
    assert (told["told"], shop.status(RON)) == (True, "processing")


async def test_what_cannot_be_so_is_refused_before_anybody_is_asked(shop: Shop) -> None:
    async with chat_with(shop, answers=yes) as chat:
        lost = await chat.refused("tell_record", record_id=RON, fact="lost")
        nothing = await chat.refused("tell_record", record_id=RON, fact="delivered")
        unknown = await chat.refused("tell_record", record_id="ORD-3-RBW", fact="paid")
        future = await chat.refused("tell_record", record_id=RON, fact="paid", at="2999-01-01T00:00:00Z")
    assert "there are: paid, approved, delivered, cancelled" in lost
    assert "nothing was ordered from a supplier" in nothing
    assert f"did you mean '{RON}'" in unknown
    assert "is still to come" in future
    assert not chat.asked


async def test_it_needs_the_scope_to_tell(shop: Shop) -> None:
    async with chat_with(shop, answers=yes, access=frozenset(Access) - {Access.TELL}) as chat:
        why = await chat.refused("tell_record", record_id=RON, fact="paid")
    assert f"the token of {HARRY.name} allows approve, read, start, and this needs tell" in why
    assert not chat.asked


async def test_a_record_that_changes_under_the_form_is_asked_about_anew(shop: Shop) -> None:
    """In the era in which a form is the answer to a call, it is bound to what it showed."""
    shown: list[str] = []

    async def late(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        shown.append(params.message)
        if len(shown) == 1:
            shop.edit_order(RON, status="pending-payment")
        return await yes(params)

    async with chat_with(shop, answers=late) as chat:
        told = await chat.call("tell_record", record_id=RON, fact="paid")
    assert told["told"]
    assert ['"payment-denied" →' in shown[0], '"pending-payment" →' in shown[-1]] == [True, True]


async def test_a_record_that_changes_under_a_form_that_is_open_beside_its_call_is_not_written_to(shop: Shop) -> None:
    async def late(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        shop.edit_order(RON, status="pending-payment")
        return await yes(params)

    async with chat_with(shop, era="legacy", answers=late) as chat:
        why = await chat.refused("tell_record", record_id=RON, fact="paid")
        assert "has changed since it was shown" in why
        assert shop.status(RON) == "pending-payment"
        assert (await chat.call("tell_record", record_id=RON, fact="paid"))["told"]
