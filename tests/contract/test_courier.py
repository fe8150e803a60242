"""Messages of records against a real mail server, HTTP server and program: each once, and its state is true."""

import asyncio
import json
import sys
import textwrap
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
import trustme

from daper.activities.posting import BEGUN, GIVEN_UP, Posting
from daper.adapters.notify import courier as courier_module
from daper.adapters.notify.courier import PeopleCourier
from daper.core.errors import DeliveryTaken, NotFound, TargetUnreachable
from daper.core.outbox import OVERTAKEN, TAKEN_BACK, MessageState
from daper.core.people import CommandRoute, MailRoute, People, Route, Security, SmtpServer, WebhookTarget
from daper.ports import Message, MessageNote, Noted
from tests.contract.boxes import NOON
from tests.ports import free_port
from tests.receiving import DROP, HANG, PASSWORD, SECRET, USER, MailServer, Post, hook, mail_server

WRITTEN, SENT, REFUSED, UNKNOWN = (
    MessageState.WRITTEN,
    MessageState.SENT,
    MessageState.REFUSED,
    MessageState.UNKNOWN,
)
HARRY = Message(
    key="k" * 64,
    to="harry@example.org",
    subject="Payment of order ORD-1",
    body="Dear Harry, please pay. 🦉",
    record_id="ORD-1",
    at=NOON,
    sequence=7,
    number=1,
)


@dataclass
class Outbox:
    """One message, and what became of it so far."""

    message: Message = HARRY
    notes: list[MessageNote] = field(default_factory=list[MessageNote])

    async def outbox(self) -> list[Message]:
        return [self.message]

    async def messages_of(self, key: str) -> list[Message]:
        return [self.message] if key == self.message.key else []

    async def note_message(self, note: MessageNote) -> Noted:
        if note.key != self.message.key:
            raise NotFound("no such message")
        changed = note.fits(self.message)
        if changed:
            self.notes.append(note)
            self.message = note.on(self.message)
        return Noted(message=self.message, changed=changed)

    @property
    def states(self) -> list[MessageState]:
        return [note.state for note in self.notes]


def courier(
    route: Route | None, *, smtp: SmtpServer | None = None, secrets: Mapping[str, str] | None = None
) -> PeopleCourier:
    known = {"OWL_SECRET": SECRET, "SMTP_PASSWORD": PASSWORD} if secrets is None else secrets
    outbox = {} if route is None else {"orders": route}
    people = People(outbox=outbox, smtp=smtp, secrets=known, surroundings={"PATH": "/usr/bin:/bin"})
    return PeopleCourier(people, now=lambda: NOON)


def posting(
    outbox: Outbox, route: Route | None, *, smtp: SmtpServer | None = None, secrets: Mapping[str, str] | None = None
) -> Posting:
    return Posting("orders", outbox, courier(route, smtp=smtp, secrets=secrets), now=lambda: NOON)


def webhook(url: str, *, seconds: float = 20) -> WebhookTarget:
    return WebhookTarget(url=url, secret_env="OWL_SECRET", timeout=timedelta(seconds=seconds))  # noqa: S106 - a name


def account(server: MailServer, papers: Path, *, seconds: float = 20) -> SmtpServer:
    return SmtpServer(
        host="127.0.0.1",
        port=server.port,
        security=Security.STARTTLS,
        sender="shop@example.org",
        user=USER,
        password_env="SMTP_PASSWORD",  # noqa: S106 - the name of a variable
        ca_file=papers,
        timeout=timedelta(seconds=seconds),
    )


@dataclass(frozen=True)
class Papers:
    """A certificate for this machine, and the file of the authority that it is of."""

    cert: trustme.LeafCert
    file: Path


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return Papers(authority.issue_cert("127.0.0.1"), tmp_path / "ca.pem")


async def deliver(to: Posting) -> Message:
    return await to.deliver(HARRY.key, 1)


async def test_a_mail_has_the_message_and_its_id_and_no_other_is_sent_by_a_second_attempt(papers: Papers) -> None:
    outbox = Outbox()
    async with mail_server(papers.cert) as server:
        route = MailRoute(from_name="Hogwarts supplies", reply_to="help@example.org")
        to = posting(outbox, route, smtp=account(server, papers.file))
        first, again = await deliver(to), await deliver(to)

    assert first == again
    assert outbox.states == [UNKNOWN, SENT]
    [mail] = server.post.mails
    assert server.post.recipients == [["harry@example.org"]]
    assert mail["Message-ID"] == f"<{HARRY.id}@example.org>"
    assert (mail["From"], mail["Reply-To"], mail["Subject"]) == (
        "Hogwarts supplies <shop@example.org>",
        "help@example.org",
        HARRY.subject,
    )
    assert mail.get_content().rstrip() == HARRY.body


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        ("550 no such owl", REFUSED, "did not take the mail (code 550)"),
        ("451 the owls are out", WRITTEN, "did not take the mail (code 451)"),
    ],
)
async def test_a_mail_that_the_server_does_not_take_was_not_sent(
    papers: Papers, answer: str, state: MessageState, told: str
) -> None:
    outbox, post = Outbox(), Post()
    post.answers = [answer]
    async with mail_server(papers.cert, post=post) as server:
        to = posting(outbox, MailRoute(), smtp=account(server, papers.file))
        if state is WRITTEN:
            with pytest.raises(TargetUnreachable):
                await deliver(to)
        else:
            await deliver(to)
        assert outbox.states == [UNKNOWN, state]
        assert (told in outbox.message.note, outbox.message.tries) == (True, 1)
        later = await deliver(to)

    assert later.state is (SENT if state is WRITTEN else REFUSED)
    assert len(post.mails) == (state is WRITTEN)


@pytest.mark.parametrize(
    "answer", ["252 perhaps", "+OK queued", "354 go on", f"250 {'queued ' * 1500}"], ids=["252", "none", "354", "long"]
)
async def test_an_answer_to_a_mail_that_says_neither_leaves_it_to_a_person(papers: Papers, answer: str) -> None:
    outbox, post = Outbox(), Post()
    post.answers = [answer]
    async with mail_server(papers.cert, post=post) as server:
        to = posting(outbox, MailRoute(), smtp=account(server, papers.file))
        done, again = await deliver(to), await deliver(to)
    assert done.state is again.state is UNKNOWN
    assert "it may have gone" in done.note
    assert post.mails == []


async def test_an_address_that_the_server_does_not_know_is_refused_before_anything_may_have_gone(
    papers: Papers,
) -> None:
    outbox, post = Outbox(), Post()
    post.strangers = {HARRY.to}
    async with mail_server(papers.cert, post=post) as server:
        done = await deliver(posting(outbox, MailRoute(), smtp=account(server, papers.file)))
    assert (done.state, outbox.states) == (REFUSED, [REFUSED])
    assert HARRY.to not in done.note


async def test_a_mail_that_may_have_gone_is_never_sent_again(papers: Papers) -> None:
    outbox, post, silent = Outbox(), Post(), asyncio.Event()

    async def say_nothing() -> None:
        await silent.wait()

    post.meanwhile = say_nothing
    async with mail_server(papers.cert, post=post) as server:
        to = posting(outbox, MailRoute(), smtp=account(server, papers.file, seconds=1))
        done = await deliver(to)
        silent.set()
        again = await deliver(to)

    assert done.state is again.state is UNKNOWN
    assert "it may have gone" in done.note
    assert len(post.mails) == 1


async def test_a_mail_server_that_is_away_leaves_the_message_written(papers: Papers) -> None:
    outbox, nobody = Outbox(), MailServer(post=Post(), port=free_port())
    with pytest.raises(TargetUnreachable):
        await deliver(posting(outbox, MailRoute(), smtp=account(nobody, papers.file)))
    assert outbox.states == [WRITTEN]
    assert outbox.message.tries == 1


async def test_what_is_no_mail_address_is_refused_and_no_header_can_be_made_of_it(papers: Papers) -> None:
    for address in ("Harry Potter", "x@y.example\nBcc: all@example.org", "a@b, c@d", "-oX@" + "a" * 300):
        outbox = Outbox(replace_to(address))
        async with mail_server(papers.cert) as server:
            done = await deliver(posting(outbox, MailRoute(), smtp=account(server, papers.file)))
        assert (done.state, server.post.mails) == (REFUSED, [])


def replace_to(address: str) -> Message:
    return HARRY.model_copy(update={"to": address})


async def test_a_webhook_gets_the_message_signed_under_its_id() -> None:
    outbox = Outbox()
    async with hook() as server:
        done = await deliver(posting(outbox, webhook(server.url)))

    [request] = server.requests
    assert (done.state, outbox.states) == (SENT, [UNKNOWN, SENT])
    assert request.signed
    assert request.headers["webhook-id"] == HARRY.id
    assert request.document == {
        "id": HARRY.id,
        "type": "record-message",
        "data": {
            "domain": "orders",
            "to": HARRY.to,
            "subject": HARRY.subject,
            "body": HARRY.body,
            "record_id": "ORD-1",
            "at": "2026-11-28T12:00:00Z",
        },
    }


@pytest.mark.parametrize(
    ("answer", "state"),
    [(400, REFUSED), (302, REFUSED), (103, UNKNOWN), (500, UNKNOWN), (504, UNKNOWN), (DROP, UNKNOWN), (HANG, UNKNOWN)],
)
async def test_what_a_webhook_answers_is_what_the_state_says(answer: int, state: MessageState) -> None:
    outbox = Outbox()
    async with hook(answer) as server:
        to = posting(outbox, webhook(server.url, seconds=1))
        done, again = await deliver(to), await deliver(to)
    assert done.state is again.state is state
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [429, 503])
async def test_a_webhook_that_says_not_now_is_tried_again_under_the_same_id(answer: int) -> None:
    outbox = Outbox()
    async with hook(answer, headers="Retry-After: 7\r\n") as server:
        to = posting(outbox, webhook(server.url))
        with pytest.raises(TargetUnreachable) as error:
            await deliver(to)
        assert (outbox.message.state, error.value.retry_after) == (WRITTEN, timedelta(seconds=7))
        assert (await deliver(to)).state is SENT
    assert [request.headers["webhook-id"] for request in server.requests] == [HARRY.id] * 2


async def test_two_that_deliver_at_once_send_one_message() -> None:
    outbox = Outbox()
    async with hook() as server:
        to, other = posting(outbox, webhook(server.url)), posting(outbox, webhook(server.url))
        done = await asyncio.gather(*(deliver(each) for each in (to, other, to, other)))
    assert len(server.requests) == 1
    assert {message.state for message in done} <= {SENT, UNKNOWN}
    assert outbox.message.state is SENT


def program(folder: Path, body: str, *, seconds: float = 20, env: tuple[str, ...] = ()) -> CommandRoute:
    """A program of somebody's own, that notes each time it is run."""
    file = folder / "send.py"
    lines = f"""
        import json, os, sys, time
        given = json.load(sys.stdin)
        with open({str(folder / "runs")!r}, "a") as runs:
            runs.write(json.dumps({{"given": given, "env": sorted(os.environ)}}) + "\\n")
    """
    file.write_text(textwrap.dedent(lines) + textwrap.dedent(body), encoding="utf-8")
    return CommandRoute(run=(sys.executable, str(file)), env=env, timeout=timedelta(seconds=seconds))


def runs(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "runs").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("body", "state", "told"),
    [
        ("sys.exit(0)", SENT, ""),
        ("print('no phone', file=sys.stderr); sys.exit(69)", REFUSED, "refused it (exit code 69): no phone"),
        ("sys.exit(1)", UNKNOWN, "exit code 1"),
        ("os.kill(os.getpid(), 9)", UNKNOWN, "ended by signal 9"),
    ],
)
async def test_the_exit_code_of_a_program_is_the_answer(
    tmp_path: Path, body: str, state: MessageState, told: str
) -> None:
    outbox = Outbox()
    to = posting(outbox, program(tmp_path, body))
    done, again = await deliver(to), await deliver(to)
    assert done.state is again.state is state
    assert told in done.note
    [run] = runs(tmp_path)
    assert run["given"] == {
        "id": HARRY.id,
        "type": "record-message",
        "data": {
            "domain": "orders",
            "to": HARRY.to,
            "subject": HARRY.subject,
            "body": HARRY.body,
            "record_id": "ORD-1",
            "at": "2026-11-28T12:00:00Z",
        },
    }


async def test_a_program_that_says_not_now_is_run_again(tmp_path: Path) -> None:
    outbox = Outbox()
    to = posting(outbox, program(tmp_path, "sys.exit(75)"))
    for number in (1, 2):
        with pytest.raises(TargetUnreachable, match="exit code 75"):
            await deliver(to)
        assert (outbox.message.state, outbox.message.tries) == (WRITTEN, number)
    assert len(runs(tmp_path)) == 2


async def test_a_program_that_hangs_is_ended_with_what_it_started_and_nobody_knows(tmp_path: Path) -> None:
    outbox = Outbox()
    body = f"""
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
        time.sleep(600)
    """
    done = await deliver(posting(outbox, program(tmp_path, body, seconds=2)))
    assert done.state is UNKNOWN
    assert "did not end within 2 s" in done.note
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    await asyncio.wait_for(asyncio.to_thread(until_gone, child), 20)


def until_gone(pid: int) -> None:
    while is_running(pid):
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_program_that_is_not_there_refuses_and_can_be_mended(tmp_path: Path) -> None:
    outbox = Outbox()
    done = await deliver(posting(outbox, CommandRoute(run=(str(tmp_path / "nothing"),))))
    assert (done.state, outbox.states) == (REFUSED, [UNKNOWN, REFUSED])
    assert "cannot be started" in done.note
    mended = posting(outbox, program(tmp_path, "sys.exit(0)"))
    assert (await deliver(mended)).state is REFUSED  # by itself never
    assert (await mended.deliver(HARRY.key, 1, again=True)).state is SENT


async def test_a_program_is_given_what_is_named_and_no_other_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLM_KEY", "planted")
    route = program(tmp_path, "sys.exit(0)", env=("SMS_TOKEN",))
    await deliver(posting(Outbox(), route, secrets={"SMS_TOKEN": "t", "OWL_SECRET": SECRET}))
    [run] = runs(tmp_path)
    given = set(cast("list[str]", run["env"]))
    assert {"SMS_TOKEN", "PATH"} <= given
    assert not {"LLM_KEY", "OWL_SECRET"} & given


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("'401 for token ' + secret + '!'", ": 401 for token (OWL_SECRET)!"),
        ("' ' * 4080 + 'no ' + secret", "(exit code 69)"),
    ],
)
async def test_a_secret_that_a_program_says_is_not_in_the_reason(tmp_path: Path, said: str, told: str) -> None:
    outbox = Outbox()
    body = f"secret = os.environ['OWL_SECRET']; print({said}, file=sys.stderr); sys.exit(69)"
    done = await deliver(posting(outbox, program(tmp_path, body, env=("OWL_SECRET",))))
    assert (done.state, SECRET[:5] in done.note) == (REFUSED, False)
    assert done.note.endswith(told)


async def test_a_secret_that_is_missing_refuses_before_anything_may_have_gone() -> None:
    outbox = Outbox()
    async with hook() as server:
        done = await deliver(posting(outbox, webhook(server.url), secrets={}))
    assert (done.state, outbox.states, server.requests) == (REFUSED, [REFUSED], [])
    assert "OWL_SECRET" in done.note


async def test_with_nothing_that_sends_them_messages_stay_written_and_say_why() -> None:
    outbox = Outbox()
    done = await deliver(posting(outbox, None))
    assert (done.state, outbox.notes) == (WRITTEN, [])
    assert "[outbox.orders]" in done.note


@pytest.mark.parametrize("state", [SENT, REFUSED, UNKNOWN, MessageState.SIMULATED])
async def test_only_what_is_written_is_sent_by_itself(state: MessageState) -> None:
    outbox = Outbox(HARRY.model_copy(update={"state": state}))
    async with hook() as server:
        done = await deliver(posting(outbox, webhook(server.url)))
    assert (done.state, server.requests, outbox.notes) == (state, [], [])


async def test_what_a_person_says_of_a_message_counts() -> None:
    outbox = Outbox(HARRY.model_copy(update={"state": UNKNOWN, "note": BEGUN}))
    async with hook() as server:
        to = posting(outbox, webhook(server.url))
        assert (await to.say(HARRY.key, 1, WRITTEN, "it has not gone, says Ron")).state is WRITTEN
        assert (await deliver(to)).state is SENT
    assert len(server.requests) == 1


UNDO = HARRY.model_copy(update={"key": "u" * 64, "subject": "Never mind"})


async def test_what_is_taken_back_while_somebody_sends_it_is_not_sent() -> None:
    outbox = Outbox(HARRY.model_copy(update={"state": REFUSED, "note": "no such owl"}))

    class TakenBack(PeopleCourier):
        async def carry(self, domain: str, message: Message, *, begin: Callable[[], Awaitable[None]]) -> None:
            assert await to.withdraw(HARRY.key, UNDO.key)
            await super().carry(domain, message, begin=begin)

    async with hook() as server:
        people = People(outbox={"orders": webhook(server.url)}, secrets={"OWL_SECRET": SECRET})
        to = Posting("orders", outbox, TakenBack(people, now=lambda: NOON), now=lambda: NOON)
        done = await to.deliver(HARRY.key, 1, again=True)

    assert (done.state, done.note, server.requests) == (REFUSED, TAKEN_BACK, [])


async def test_what_is_taken_back_while_it_reaches_nobody_stays_so() -> None:
    outbox = Outbox(HARRY.model_copy(update={"state": REFUSED, "note": "no such owl"}))

    class TakenBack(PeopleCourier):
        async def carry(self, domain: str, message: Message, *, begin: Callable[[], Awaitable[None]]) -> None:
            assert await to.withdraw(HARRY.key, UNDO.key)
            raise TargetUnreachable("nobody there")

    people = People(outbox={"orders": webhook("http://127.0.0.1:1/")})
    to = Posting("orders", outbox, TakenBack(people, now=lambda: NOON), now=lambda: NOON)
    with pytest.raises(TargetUnreachable):
        await to.deliver(HARRY.key, 1, again=True)

    assert (outbox.message.state, outbox.message.note) == (REFUSED, TAKEN_BACK)


async def test_nobody_can_have_sent_what_was_taken_back_by_saying_that_it_has_not_gone() -> None:
    outbox = Outbox(HARRY.model_copy(update={"state": REFUSED, "note": TAKEN_BACK}))
    async with hook() as server:
        to = posting(outbox, webhook(server.url))
        with pytest.raises(DeliveryTaken, match="its effect was undone"):
            await to.say(HARRY.key, 1, WRITTEN, "it has not gone, says Ron")
        await to.deliver(HARRY.key, 1, again=True)
    assert (outbox.message.note, server.requests) == (TAKEN_BACK, [])


async def test_a_late_answer_to_one_attempt_says_nothing_of_the_next_one() -> None:
    """Of the first a person found out that it was not taken; while the second runs, the first is refused."""
    outbox, times = Outbox(), iter(range(100))
    first, second = asyncio.Event(), asyncio.Event()

    class Slow(PeopleCourier):
        async def carry(self, domain: str, message: Message, *, begin: Callable[[], Awaitable[None]]) -> None:
            await begin()
            if begun.is_set():
                second.set()
                await first_is_over.wait()
                return
            begun.set()
            await first.wait()
            raise TargetUnreachable("not now", certain=True)

    begun, first_is_over = asyncio.Event(), asyncio.Event()
    people = People(outbox={"orders": webhook("http://127.0.0.1:1/")})
    to = Posting("orders", outbox, Slow(people, now=lambda: NOON), now=lambda: NOON + timedelta(seconds=next(times)))
    early = asyncio.create_task(to.deliver(HARRY.key, 1))
    await begun.wait()
    await to.say(HARRY.key, 1, WRITTEN, "it has not gone, says Ron")
    late = asyncio.create_task(to.deliver(HARRY.key, 1, again=True))
    await second.wait()

    first.set()
    with pytest.raises(TargetUnreachable):
        await early

    assert outbox.message.state is UNKNOWN
    first_is_over.set()
    assert (await late).state is SENT


async def test_an_attempt_that_another_one_in_vain_overtook_is_made_all_the_same() -> None:
    outbox, others = Outbox(), [True]

    class Overtaken(PeopleCourier):
        async def carry(self, domain: str, message: Message, *, begin: Callable[[], Awaitable[None]]) -> None:
            if others:
                others.clear()
                note = MessageNote(
                    key=HARRY.key, number=1, expected=frozenset({WRITTEN}), state=WRITTEN, note="", at=NOON, tried=True
                )
                await outbox.note_message(note)
            await super().carry(domain, message, begin=begin)

    async with hook() as server:
        people = People(outbox={"orders": webhook(server.url)}, secrets={"OWL_SECRET": SECRET})
        to = Posting("orders", outbox, Overtaken(people, now=lambda: NOON), now=lambda: NOON)
        done = await deliver(to)
    assert (done.state, len(server.requests)) == (SENT, 1)


async def test_an_attempt_that_nobody_waits_for_any_longer_sends_nothing() -> None:
    """Of a message that a repair has reported as not sent, a late attempt has not begun to send anything."""
    outbox, late = Outbox(), iter(range(1, 100))

    class Late(PeopleCourier):
        async def carry(self, domain: str, message: Message, *, begin: Callable[[], Awaitable[None]]) -> None:
            reported.append(await to.give_up(HARRY.key, 1))
            await super().carry(domain, message, begin=begin)

    reported = list[Message]()
    async with hook() as server:
        people = People(outbox={"orders": webhook(server.url)}, secrets={"OWL_SECRET": SECRET})
        to = Posting("orders", outbox, Late(people, now=lambda: NOON), now=lambda: NOON + timedelta(seconds=next(late)))
        done = await deliver(to)
    assert (reported[0].state, reported[0].note, done.state, server.requests) == (WRITTEN, GIVEN_UP, WRITTEN, [])


async def test_an_attempt_that_is_cut_off_before_it_began_to_send_does_not_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outbox, connecting, go_on, ended = Outbox(), threading.Event(), threading.Event(), threading.Event()

    def slow(route: WebhookTarget, *_: object, before_body: Callable[[], None], **__: object) -> None:
        connecting.set()
        go_on.wait(60)
        try:
            before_body()
        finally:
            ended.set()

    monkeypatch.setattr(courier_module.webhook, "post", slow)
    sending = asyncio.create_task(deliver(posting(outbox, webhook("http://127.0.0.1:1/"))))
    await asyncio.to_thread(connecting.wait, 60)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    go_on.set()
    await asyncio.to_thread(ended.wait, 60)

    assert (outbox.message.state, outbox.notes) == (WRITTEN, [])


@dataclass
class Answered(Outbox):
    """What its message asks for happens after some looks."""

    looks: int = 0

    async def overtaken(self, message: Message) -> str:
        self.looks -= 1
        return "paid was told by Bill" if self.looks < 0 else ""


@pytest.mark.parametrize("looks", [0, 1], ids=["before", "while it is handed over"])
async def test_what_nobody_needs_any_more_is_not_sent_and_the_outbox_says_why(looks: int) -> None:
    outbox = Answered(looks=looks)
    async with hook() as server:
        to = posting(outbox, webhook(server.url))
        done = await deliver(to)
        by_hand = await to.deliver(HARRY.key, 1, again=True)
        with pytest.raises(DeliveryTaken, match="nobody needs it any more: paid was told by Bill"):
            await to.say(HARRY.key, 1, WRITTEN, "it has not gone, says Ron")
    assert (done.state, done.note) == (REFUSED, OVERTAKEN + "paid was told by Bill")
    assert (by_hand.state, server.requests, outbox.states) == (REFUSED, [], [REFUSED])


async def test_what_nobody_needs_any_more_is_told_as_that_also_where_nothing_sends_it() -> None:
    outbox = Answered()
    done = await deliver(posting(outbox, None))
    assert (done.state, done.note) == (REFUSED, OVERTAKEN + "paid was told by Bill")


@pytest.mark.parametrize("state", [SENT, UNKNOWN])
async def test_what_has_gone_or_may_have_stays_so_whatever_happened_since(state: MessageState) -> None:
    outbox = Answered(HARRY.model_copy(update={"state": state}))
    assert (await deliver(posting(outbox, None))).state is state
    assert outbox.notes == []
