"""A worker is killed with -9 while it sends what a repair wrote: what may have gone goes once, what has not goes yet.

Only the missed heartbeats of ten seconds show that a worker is gone.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trustme
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.embedded import embedded_server
from daper.core.outbox import MessageState
from daper.core.outcomes import VerificationStatus
from daper.core.phases import Phase
from tests.faults.victims_run import Victims, kill, until
from tests.ports import free_port
from tests.receiving import (
    PASSWORD,
    SECRET,
    Post,
    hook,
    mail_lines,
    mail_server,
    webhook_lines,
    write_people,
)
from tests.workflow.delivering import APPROVED, APPROVERS, bring_own, outbox, verified
from tests.workflow.shop import DEADLINE, Shop

pytestmark = pytest.mark.long

SENT, UNKNOWN = MessageState.SENT, MessageState.UNKNOWN


@asynccontextmanager
async def site(home: Path) -> AsyncGenerator[tuple[Shop, Victims]]:
    """A shop with own orders on a server of its own, and workers that can be killed."""
    bring_own(home)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(embedded_server(log_file=home / "server.log"))
        environ = APPROVERS | {"OWL_SECRET": SECRET, "SMTP_PASSWORD": PASSWORD, "TEMPORAL_ADDRESS": server.address}
        client = await Client.connect(server.address, data_converter=data_converter())
        env = WorkflowEnvironment.from_client(client)
        shop = Shop(env, home, domains=None, indexed=True, environ=environ)
        queue = {"DAPER_HOME": str(home), "HOME": str(home), "TEMPORAL_TASK_QUEUE": shop.settings.task_queue}
        victims = Victims(home, environ | queue)
        stack.push_async_callback(victims.end)
        yield shop, victims


async def test_what_may_have_gone_when_the_worker_died_is_unknown_and_not_sent_again(tmp_path: Path) -> None:
    speak = asyncio.Event()

    async def say_nothing() -> None:
        await speak.wait()

    async with hook() as server:
        server.meanwhile = say_nothing
        write_people(tmp_path, outbox=webhook_lines(server.url))
        async with site(tmp_path) as (shop, victims):
            first = await victims.worker()
            repair_id = await shop.start(scope={"record_ids": [APPROVED]})
            await shop.decide(repair_id, await shop.plan(repair_id))
            await server.until(1)
            await kill(first)
            speak.set()
            await victims.worker()
            result = await shop.end(repair_id, within=2 * DEADLINE)
            [lies] = await outbox(shop)

    assert len(server.requests) == 1
    assert lies.state is UNKNOWN
    assert (result.phase, result.counts.applied) == (Phase.REPORT_COMPLETED, 1)
    assert [(message.state, message.text) for message in result.messages] == [(UNKNOWN, lies.body)]
    assert verified(result) == {APPROVED: VerificationStatus.WAITING_ON_PERSON}


async def test_what_had_not_gone_when_the_worker_died_is_sent_by_another(tmp_path: Path) -> None:
    authority, post, came, port = trustme.CA(), Post(), asyncio.Event(), free_port()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        await reader.read()
        writer.close()

    write_people(tmp_path, smtp=mail_lines(port, tmp_path / "ca.pem"), outbox='type = "email"')
    async with site(tmp_path) as (shop, victims):
        first = await victims.worker()
        repair_id = await shop.start(scope={"record_ids": [APPROVED]})
        plan = await shop.plan(repair_id)
        async with await asyncio.start_server(say_nothing, "127.0.0.1", port):
            await shop.decide(repair_id, plan)
            assert await until(came.is_set, within=DEADLINE)
            await kill(first)
        async with mail_server(authority.issue_cert("127.0.0.1"), post=post, port=port):
            await victims.worker()
            result = await shop.end(repair_id, within=2 * DEADLINE)
        [sent] = await outbox(shop)

    assert (len(post.mails), sent.state) == (1, SENT)
    assert [message.state for message in result.messages] == [SENT]
    assert verified(result) == {APPROVED: VerificationStatus.WAITING_ON_OTHER}
