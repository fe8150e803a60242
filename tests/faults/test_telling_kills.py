"""D1: a worker is killed with -9 while it tells people, when they have a message and it does not know that they have.

One kill for all of it, as only the missed heartbeats of ten seconds show that a worker is gone: one repair tells that
its plan waits, another one that it is done, each by a webhook and by mail. All four have arrived when the worker dies.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.embedded import embedded_server
from daper.core.outcomes import RepairResult
from daper.core.phases import Phase
from tests.faults.victims_run import Victims, kill, until
from tests.receiving import PASSWORD, SECRET, Hook, Post, hook, mail_lines, mail_server, webhook_lines, write_people
from tests.workflow.shop import DEADLINE, Shop

pytestmark = pytest.mark.long

WAITS, DONE = "a plan of 1 action waits for a decision", "the repair is done"
BADGES, EGG = "ORD-002-HJG", "ORD-004-RHG"


@dataclass(frozen=True)
class Copy:
    """One message that somebody got: by which way and under which id, of which repair, saying what."""

    way: str
    id: str
    repair_id: str
    says: str


class Receivers:
    """Who is told, by webhook and by mail; while they are `silent`, they take messages and say nothing."""

    def __init__(self, owl: Hook, post: Post) -> None:
        self._owl, self._post = owl, post
        self.silent = False
        self.waiting = 0
        self._speak = asyncio.Event()
        owl.meanwhile = post.meanwhile = self._meanwhile

    async def _meanwhile(self) -> None:
        if self.silent:
            self.waiting += 1
            await self._speak.wait()

    def speak(self) -> None:
        """Answer what was not answered, and all that comes."""
        self.silent = False
        self._speak.set()

    def copies(self) -> Iterator[Copy]:
        """All that arrived."""
        for request in self._owl.requests:
            assert request.signed
            data = request.document["data"]
            assert isinstance(data, dict)
            yield _copy("webhook", request.headers["webhook-id"], str(request.document["text"]))
        for mail in self._post.mails:
            yield _copy("mail", str(mail["Message-ID"]), _text(mail))


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _copy(way: str, message_id: str, text: str) -> Copy:
    repair_id = next(line.removeprefix("repair: ") for line in text.splitlines() if line.startswith("repair: "))
    return Copy(way, message_id, repair_id.strip(), WAITS if WAITS in text.splitlines()[0] else DONE)


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """What is left: both results, what arrived, the store, and how the two workers fared."""

    asked: RepairResult
    done: RepairResult
    copies: tuple[Copy, ...]
    shop: Shop
    exit_codes: tuple[int | None, int | None]


@pytest.fixture(scope="module")
async def aftermath(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Aftermath]:
    home = tmp_path_factory.mktemp("telling")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(embedded_server(log_file=home / "server.log"))
        receivers = await _listening(stack, home)
        environ = {"OWL_SECRET": SECRET, "SMTP_PASSWORD": PASSWORD, "TEMPORAL_ADDRESS": server.address}
        client = await Client.connect(server.address, data_converter=data_converter())
        env = WorkflowEnvironment.from_client(client)
        shop = Shop(env, home, domains=None, indexed=True, environ=environ)
        queue = {"DAPER_HOME": str(home), "HOME": str(home), "TEMPORAL_TASK_QUEUE": shop.settings.task_queue}
        victims = Victims(home, environ | queue)
        stack.push_async_callback(victims.end)
        yield await _kill_while_telling(shop, victims, receivers)


async def _listening(stack: AsyncExitStack, home: Path) -> Receivers:
    authority, post = trustme.CA(), Post()
    authority.cert_pem.write_to_path(home / "ca.pem")
    owl = await stack.enter_async_context(hook())
    mails = await stack.enter_async_context(mail_server(authority.issue_cert("127.0.0.1"), post=post))
    write_people(
        home,
        smtp=mail_lines(mails.port, home / "ca.pem"),
        owl=webhook_lines(owl.url),
        harry='type = "email"\nto = "harry@example.org"',
    )
    return Receivers(owl, post)


async def _kill_while_telling(shop: Shop, victims: Victims, receivers: Receivers) -> Aftermath:
    first = await victims.worker()
    done = await shop.start(scope={"record_ids": [BADGES]}, tell=["owl", "harry"])
    plan = await shop.plan(done)
    assert await until(lambda: len([*receivers.copies()]) == 2, within=DEADLINE)

    receivers.silent = True
    asked = await shop.start(scope={"record_ids": [EGG]}, tell=["owl", "harry"])
    await shop.decide(done, plan)
    assert await until(lambda: receivers.waiting == 4, within=DEADLINE), [*receivers.copies()]
    await kill(first)
    receivers.speak()

    second = await victims.worker()
    await shop.decide(asked, await shop.plan(asked))  # nobody waits for those who are told
    results = await asyncio.gather(shop.end(asked), shop.end(done))
    return Aftermath(
        asked=results[0],
        done=results[1],
        copies=tuple(receivers.copies()),
        shop=shop,
        exit_codes=(first.returncode, second.returncode),
    )


def test_each_message_arrives_and_a_second_copy_has_the_id_of_the_first(aftermath: Aftermath) -> None:
    asked, done = aftermath.asked.repair_id, aftermath.done.repair_id
    for way in ("webhook", "mail"):
        copies = Counter(copy for copy in aftermath.copies if copy.way == way)
        assert {(copy.repair_id, copy.says): count for copy, count in copies.items()} == {
            (done, WAITS): 1,
            (done, DONE): 2,
            (asked, WAITS): 2,
            (asked, DONE): 1,
        }
        assert len({copy.id for copy in copies}) == len(copies) == 4, "one id for each message, and for its copies"


def test_both_repairs_end_and_what_was_approved_happened_once(aftermath: Aftermath) -> None:
    for result in (aftermath.asked, aftermath.done):
        assert (result.phase, result.counts.applied) == (Phase.REPORT_COMPLETED, 1)
        assert (result.notices, result.troubles) == ((), ())
        assert result.paths is not None
        assert Path(result.paths.json_path).is_file()
    assert aftermath.shop.effects() == 2
    sent = [path.name for path in (aftermath.shop.home / "data" / "orders" / "outbox").glob("*.json")]
    assert len(sent) == 2
    assert aftermath.exit_codes == (-9, None)
