"""What a repair wrote to others is sent, each message once, and nobody is said to be asked before something took it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from temporalio.testing import WorkflowEnvironment

from daper.core.models import IdentityProof, Person
from daper.core.outbox import OVERTAKEN, TAKEN_BACK, MessageState
from daper.core.outcomes import Effect, Holding, OutcomeStatus, Postcondition, RepairResult, VerificationStatus
from daper.domains.orders.domain import OrdersDomain, open_domain
from daper.ports import Telling, ToolCall
from daper.stores.copying import copy
from daper.workflows.options import DELIVERY_TRIES
from tests.orders_on_server import with_tables
from tests.receiving import DROP, PASSWORD, SECRET, Post, hook, mail_lines, mail_server, webhook_lines, write_people
from tests.workflow.delivering import APPROVED, APPROVERS, PAYS, RESTOCKED, bring_own, outbox, verified
from tests.workflow.scripted import ScriptedOrders, UndoableScript
from tests.workflow.shop import Shop, open_shop

SECRETS = APPROVERS | {"OWL_SECRET": SECRET, "SMTP_PASSWORD": PASSWORD}
BILL = Person(name="Bill", how=IdentityProof.OS_USER)
WRITTEN, SENT, REFUSED, UNKNOWN = (
    MessageState.WRITTEN,
    MessageState.SENT,
    MessageState.REFUSED,
    MessageState.UNKNOWN,
)


@asynccontextmanager
async def own_shop(env: WorkflowEnvironment, home: Path, **people: str) -> AsyncGenerator[Shop]:
    """A shop with own orders, whose outbox is delivered as these lines say."""
    bring_own(home)
    if people:
        write_people(home, **people)
    async with open_shop(env, home, environ=SECRETS) as shop:
        yield shop


async def repaired(shop: Shop, *record_ids: str) -> RepairResult:
    repair_id = await shop.start(scope={"record_ids": list(record_ids)}, auto_approve=True)
    return await shop.end(repair_id)


async def test_with_nothing_that_sends_it_a_message_is_a_persons_to_send(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with own_shop(temporal_env, tmp_path) as shop:
        result = await repaired(shop, PAYS)
        [lies] = await outbox(shop)

    assert lies.state is WRITTEN
    assert verified(result) == {PAYS: VerificationStatus.WAITING_ON_PERSON}
    assert result.verification is not None
    assert "written to the outbox, not sent" in result.verification.findings[0].evidence
    assert result.counts.requested == 0
    assert result.needs_person
    assert result.report is not None
    [left] = result.report.left_for_person
    assert left.startswith(f"{PAYS}: message 1 in the outbox, to {lies.to}, is written to the outbox, not sent")
    assert "waiting for somebody else" not in result.report.summary
    assert "1 waiting for a message to be sent from here" in result.report.summary
    [message] = result.messages
    assert (message.state, message.text, message.to) == (WRITTEN, lies.body, lies.to)
    told = [line for outcome in result.outcomes for line in outcome.evidence]
    assert not any("asked" in line for line in told), told


async def test_what_was_sent_waits_for_the_other_side(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with hook() as server, own_shop(temporal_env, tmp_path, outbox=webhook_lines(server.url)) as shop:
        result = await repaired(shop, PAYS, APPROVED)
        sent = await outbox(shop)

    assert [message.state for message in sent] == [SENT, SENT]
    assert {message.state for message in result.messages} == {SENT}
    assert {message.text for message in result.messages} == {""}
    assert verified(result) == dict.fromkeys((PAYS, APPROVED), VerificationStatus.WAITING_ON_OTHER)
    assert not result.needs_person
    assert sorted(request.headers["webhook-id"] for request in server.requests) == sorted(each.id for each in sent)
    assert all(request.signed for request in server.requests)


async def test_what_was_refused_or_may_have_gone_is_handed_to_a_person_with_its_text(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    for number, (answer, state) in enumerate(((400, REFUSED), (DROP, UNKNOWN))):
        home = tmp_path / str(number)
        home.mkdir()
        async with hook(answer) as server, own_shop(temporal_env, home, outbox=webhook_lines(server.url)) as shop:
            result = await repaired(shop, PAYS)
            [lies] = await outbox(shop)
        assert lies.state is state
        assert len(server.requests) == 1
        assert [(message.state, message.text) for message in result.messages] == [(state, lies.body)]
        assert verified(result) == {PAYS: VerificationStatus.WAITING_ON_PERSON}
        assert result.needs_person
        [markdown] = (home / "reports").glob("**/*.md")
        told = markdown.read_text(encoding="utf-8")
        assert len(lies.body.splitlines()) > 1
        assert all(line.rstrip(".") in told for line in lies.body.splitlines())


async def test_what_was_not_taken_this_time_is_tried_again(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with hook(503, 429) as server, own_shop(temporal_env, tmp_path, outbox=webhook_lines(server.url)) as shop:
        result = await repaired(shop, PAYS)
        [sent] = await outbox(shop)

    assert (sent.state, sent.tries, len(server.requests)) == (SENT, 2, 3)
    assert len({request.headers["webhook-id"] for request in server.requests}) == 1
    assert not result.needs_person


@pytest.mark.long
async def test_what_is_never_taken_is_given_up_after_some_tries_and_stays_written(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with hook(*[503] * 100) as server, own_shop(temporal_env, tmp_path, outbox=webhook_lines(server.url)) as shop:
        result = await repaired(shop, PAYS)
        [lies] = await outbox(shop)

    assert (lies.state, lies.tries, len(server.requests)) == (WRITTEN, DELIVERY_TRIES, DELIVERY_TRIES)
    assert "503" in lies.note
    assert verified(result) == {PAYS: VerificationStatus.WAITING_ON_PERSON}
    assert [message.text for message in result.messages] == [lies.body]


async def test_mails_of_two_repairs_at_once_go_each_once(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    authority, post = trustme.CA(), Post()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with mail_server(authority.issue_cert("127.0.0.1"), post=post) as server:
        smtp = mail_lines(server.port, tmp_path / "ca.pem")
        home = tmp_path / "home"
        home.mkdir()
        async with own_shop(temporal_env, home, smtp=smtp, outbox='type = "email"') as shop:
            await asyncio.gather(repaired(shop, APPROVED), repaired(shop, RESTOCKED))
            sent = await outbox(shop)

    assert {message.state for message in sent} == {SENT}, [message.note for message in sent]
    ids = [str(mail["Message-ID"]).strip("<>").partition("@")[0] for mail in post.mails]
    assert sorted(ids) == sorted(message.id for message in sent)


async def test_a_simulated_message_never_leaves(temporal_env: WorkflowEnvironment, tmp_path: Path) -> None:
    async with hook() as server:
        write_people(tmp_path, outbox=webhook_lines(server.url))
        async with open_shop(temporal_env, tmp_path, environ=SECRETS) as shop:
            result = await repaired(shop, PAYS)
            [lies] = await outbox(shop)
    assert (lies.state, server.requests, result.messages) == (MessageState.SIMULATED, [], ())
    assert verified(result) == {PAYS: VerificationStatus.WAITING_ON_OTHER}


async def test_what_was_written_is_sent_also_where_the_repair_is_stopped_meanwhile(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with hook() as server, own_shop(temporal_env, tmp_path, outbox=webhook_lines(server.url)) as shop:
        repair_id = await shop.start(scope={"record_ids": [PAYS]})
        plan = await shop.plan(repair_id)

        async def stop() -> None:
            await shop.service.stop(repair_id, by="Ginny")

        server.meanwhile = stop
        await shop.decide(repair_id, plan)
        result = await shop.end(repair_id)
        [sent] = await outbox(shop)

    assert sent.state is SENT
    assert [message.state for message in result.messages] == [SENT]
    assert len(server.requests) == 1


async def test_what_is_told_while_its_message_is_tried_again_is_not_asked_for_any_more(
    temporal_env: WorkflowEnvironment, tmp_path: Path
) -> None:
    async with hook(503) as server, own_shop(temporal_env, tmp_path, outbox=webhook_lines(server.url)) as shop:
        orders = shop.domains["orders"]
        assert isinstance(orders, OrdersDomain)

        async def pay() -> None:
            await orders.tell(Telling(record_id=PAYS, fact="paid", by=BILL, door="test"))

        server.meanwhile = pay
        result = await repaired(shop, PAYS)
        [lies] = await outbox(shop)

    assert len(server.requests) == 1
    assert lies.state is REFUSED
    assert lies.note.startswith(f"{OVERTAKEN}paid was told on ")
    assert [(message.state, message.note, message.text) for message in result.messages] == [(REFUSED, lies.note, "")]
    assert verified(result) == {PAYS: VerificationStatus.RESOLVED}
    assert not result.needs_person
    [markdown] = (tmp_path / "reports").glob("**/*.md")
    assert "nobody needs it any more: paid was told on" in markdown.read_text(encoding="utf-8")


class Unhelpful(UndoableScript):
    """A restock that does not help."""

    async def holds(self, call: ToolCall, effect: Effect) -> Postcondition:
        return Postcondition(holding=Holding.NO, evidence="the badges never came")


@pytest.mark.parametrize(("answer", "states"), [(200, [SENT, SENT]), (400, [REFUSED, REFUSED])])
async def test_what_is_taken_back_is_cancelled_only_with_whom_it_reached(
    temporal_env: WorkflowEnvironment, tmp_path: Path, answer: int, states: list[MessageState]
) -> None:
    bring_own(tmp_path)
    orders = ScriptedOrders(tmp_path)
    orders.replaced["order_inventory"] = Unhelpful(orders.script("order_inventory").tool)
    async with hook(answer) as server:
        write_people(tmp_path, outbox=webhook_lines(server.url))
        async with open_shop(temporal_env, tmp_path, environ=SECRETS, domains={"orders": orders}) as shop:
            result = await repaired(shop, RESTOCKED)
            lie = await outbox(shop)

    assert [outcome.status for outcome in result.outcomes] == [OutcomeStatus.UNDONE]
    assert [message.state for message in lie] == [message.state for message in result.messages] == states
    assert len(server.requests) == (2 if answer == 200 else 1)
    assert result.report is not None
    assert not any("send it" in line for line in result.report.left_for_person), result.report.left_for_person
    if answer != 200:
        assert {message.note for message in lie} == {TAKEN_BACK}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_in_a_database_messages_go_once_too_and_their_states_are_there(
    temporal_env: WorkflowEnvironment, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    bring_own(tmp_path)
    url = ""
    if kind == "postgresql":
        url = with_tables(request.getfixturevalue("postgresql"))
    options = {
        "approvers": "",
        "dataset": "hogwarts",
        "store": "",
        "suppliers": "",
        "shop_name": "",
        "database_url": url,
    }
    orders = open_domain(tmp_path / "data" / "orders", options)
    copy(orders.stored_as("json"), orders.stored_as(kind), replace=False, tell=lambda _, __: None)
    environ = SECRETS | {"DAPER_ORDERS_STORE": kind} | ({"DAPER_ORDERS_DATABASE_URL": url} if url else {})
    async with hook(200, 400) as server:
        write_people(tmp_path, outbox=webhook_lines(server.url))
        async with open_shop(temporal_env, tmp_path, environ=environ) as shop:
            first = await repaired(shop, PAYS)
            second, third = await asyncio.gather(repaired(shop, APPROVED), repaired(shop, RESTOCKED))
            lie = await outbox(shop)

    assert [message.state for message in first.messages] == [SENT]
    assert sorted(message.state for each in (second, third) for message in each.messages) == [REFUSED, SENT]
    ids = [request.headers["webhook-id"] for request in server.requests]
    assert sorted(ids) == sorted(message.id for message in lie)
    assert sorted(message.state for message in lie) == [REFUSED, SENT, SENT]
