"""A tool by HTTP against a real server: once or unknown, and never twice, whatever becomes of its requests."""

import asyncio
import dataclasses
import json
import logging
import socket
import ssl
import sys
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from pydantic import TypeAdapter
from sqlalchemy import create_engine

from daper.core.errors import CannotSettle, DaperError, NoAnswer, StoreBusy, StoreUnavailable
from daper.core.models import Proposal
from daper.core.outcomes import Effect, Holding, OutcomeStatus
from daper.domains.declared.http_tool import HttpTool
from daper.domains.declared.request import CannotSend, address, body, written
from daper.ports.domain import Record, Terms, ToolCall, Undoable
from daper.ports.store import StoreChange
from daper.stores.rows.engine import disconnect
from tests.cases import cases
from tests.declared_shop import Payments, make_payments
from tests.declared_tools import TOKEN, http_file
from tests.payment_processor import Processor, processing
from tests.postgresql import PostgresqlServer

TODAY = datetime(2026, 11, 28, tzinfo=UTC)
KEY = "k-0123456789abcdef"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Payments]:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    engine = create_engine(url)
    made = make_payments(engine, url, tmp_path / "domains")
    made.more = {"PROCESSOR_TOKEN": TOKEN}
    yield made
    engine.dispose()


@pytest.fixture
def processor() -> Iterator[Processor]:
    with processing() as started:
        yield started


async def proposed(shop: Payments, record_id: str = "7", **arguments: Any) -> tuple[HttpTool, ToolCall, Terms]:
    """The tool as a worker has it, with the call of what is approved now."""
    domain = shop.domain()
    tool = domain.tools["retry_payment"]
    assert isinstance(tool, HttpTool)
    if not domain.now().store.is_ready():
        domain.now().store.init()
    whole = {**tool.defaults, **arguments}
    records = await domain.context([record_id])
    proposal = Proposal(record_id=record_id, tool=tool.name, arguments=whole, answers=())
    terms = domain.terms(proposal, records)
    call = ToolCall(key=KEY, record_id=record_id, arguments=whole, expected=terms.reads, today=TODAY)
    return tool, call, terms


async def run_as_a_workflow_does(tool: HttpTool, call: ToolCall) -> OutcomeStatus | None:
    """Some attempts, and then the last word; None where it is settled as never."""
    for _ in range(3):
        try:
            return (await tool.apply(call)).status
        except DaperError as error:
            if not error.retryable:
                break
    for _ in range(2):
        try:
            found = await tool.settle(call.key)
        except CannotSettle:
            return OutcomeStatus.UNKNOWN
        except NoAnswer:
            continue
        return found.status if found else None
    return OutcomeStatus.UNKNOWN


A, F, U, N = OutcomeStatus.APPLIED, OutcomeStatus.FAILED, OutcomeStatus.UNKNOWN, None
# What the first request comes to; then what becomes of it with key and settle URL, with either alone, and with none.
LIVES: dict[str, tuple[OutcomeStatus | None, ...]] = {
    "ok": (A, A, A, A),
    "act 500": (A, A, A, U),
    "500": (F, A, F, U),
    "422": (F, F, F, F),
    "409": (F, A, F, U),
    "act 409": (A, A, A, U),
    "act close": (A, A, A, U),
    "close": (F, A, F, U),
    "act half": (A, A, A, U),
    "302": (F, A, F, U),
    "act 302": (A, A, A, U),
    "flood": (A, A, A, A),
    "act drip": (A, A, A, U),
    "hang": (F, A, F, U),
    "late": (F, A, F, U),
}
WAYS = {"both": (True, True), "the key": (True, False), "settle": (False, True), "none": (False, False)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "life",
    cases({name: name for name in LIVES}, quick=["ok", "act 500", "act 409", "act close", "close", "302", "late"]),
)
async def test_it_is_done_once_or_not_or_nobody_knows_and_never_twice(
    shop: Payments, processor: Processor, life: str, way: str
) -> None:
    key_header, settle = WAYS[way]
    processor.remembers = key_header
    processor.elsewhere = f"{processor.url}/elsewhere"
    shop.file.write_text(http_file(processor.url, key_header=key_header, settle=settle))
    processor.behaviours = [life]
    tool, call, _ = await proposed(shop)
    came_to = await run_as_a_workflow_does(tool, call)
    processor.go.set()
    if life in {"late", "hang"}:
        assert await asyncio.to_thread(processor.gone.wait, 30)
    acted = processor.acted[KEY]
    assert acted <= 1
    assert came_to == LIVES[life][list(WAYS).index(way)]
    if came_to is not OutcomeStatus.UNKNOWN:
        assert acted == (came_to is OutcomeStatus.APPLIED)
        again = await tool.apply(call)
        assert again.status in {OutcomeStatus.ALREADY_APPLIED, OutcomeStatus.FAILED}
        assert processor.acted[KEY] == acted
    assert not [each for each in processor.asked if each.path == "/elsewhere"], "a redirect was followed"
    if not key_header:
        assert len(processor.changes) == 1, "it was asked again without a key"
    assert len({(each.path, each.body) for each in processor.changes}) == 1, "another request with the same key"


async def test_a_key_that_is_in_use_is_waited_for_and_neither_refused_nor_done_again(
    shop: Payments, processor: Processor
) -> None:
    shop.file.write_text(http_file(processor.url, settle=False))
    processor.behaviours = ["act close", "409", "409"]
    tool, call, _ = await proposed(shop)
    for why in (".", "409 Conflict, which does not say whether it was done", "409 Conflict, which does not say"):
        with pytest.raises(NoAnswer, match=why):
            await tool.apply(call)
    assert (await tool.apply(call)).status is A
    assert processor.acted[KEY] == 1


@pytest.mark.parametrize(("first", "came_to"), [("409", F), ("act close", U)])
async def test_a_conflict_that_the_file_takes_for_a_refusal_is_one_for_the_first_request_alone(
    shop: Payments, processor: Processor, first: str, came_to: OutcomeStatus
) -> None:
    text = http_file(processor.url, settle=False)
    shop.file.write_text(text.replace('timeout = "1s"', 'timeout = "1s"\nnever = [409]'))
    processor.behaviours = [first, "409", "409", "409"]
    tool, call, _ = await proposed(shop)
    assert await run_as_a_workflow_does(tool, call) is came_to


KILLED = """
import asyncio, os, pathlib, sys
from daper.domains.declared import http_tool
from daper.domains.declared.domain import DeclaredDomain
from daper.ports.domain import ToolCall
from pydantic import TypeAdapter
file, call, when, *rest = sys.argv[1:]
real = http_tool.exchange
def killed(sent, *, within):
    if when == "after":
        real(sent, within=within)
    os._exit(9)
http_tool.exchange = killed
tool = DeclaredDomain(pathlib.Path(file), variables=dict(zip(rest[::2], rest[1::2])).get).tools["retry_payment"]
asyncio.run(tool.apply(TypeAdapter(ToolCall).validate_json(call)))
"""


@pytest.mark.parametrize(
    ("way", "when", "came_to"),
    [
        ("both", "before", F),
        ("both", "after", A),
        ("the key", "before", A),
        ("the key", "after", A),
        ("none", "before", U),
        ("none", "after", U),
    ],
)
async def test_a_worker_that_is_killed_leaves_what_the_next_one_finishes_or_a_person_looks_at(
    shop: Payments, processor: Processor, way: str, when: str, came_to: OutcomeStatus
) -> None:
    key_header, settle = WAYS[way]
    shop.file.write_text(http_file(processor.url, key_header=key_header, settle=settle))
    tool, call, _ = await proposed(shop)
    noted = TypeAdapter(ToolCall).dump_json(call).decode()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, str(shop.file), noted, when, "PAYMENTS_URL", shop.url, "PROCESSOR_TOKEN", TOKEN
    )
    assert await process.wait() == 9
    assert sum(processor.acted.values()) == (when == "after")
    assert await run_as_a_workflow_does(tool, call) == came_to
    assert sum(processor.acted.values()) == (when == "after" or came_to is A)


async def test_what_is_shown_is_what_is_sent_and_no_secret_is_shown(shop: Payments, processor: Processor) -> None:
    shop.file.write_text(http_file(processor.url))
    tool, call, terms = await proposed(shop, reason="the owl\r\nwas late {order_id} %41")
    shown = {each.field: each.after for each in terms.preview}
    assert shown == {
        "request": f"POST {processor.url}/payments/7/retry?order=O1",
        "sent amount": "12.5",
        "sent attempts": "1",
        "sent note": "Order O1: the owl\r\nwas late {order_id} %41",
        "sent fixed": "[1, 2.5, true]",
    }
    assert terms.spends is not None
    assert (await tool.apply(call)).status is A
    [sent] = processor.changes
    assert (sent.method, sent.path) == ("POST", "/payments/7/retry?order=O1")
    assert sent.document == {
        "amount": "12.5",
        "attempts": 1,
        "note": "Order O1: the owl\r\nwas late {order_id} %41",
        "fixed": [1, 2.5, True],
    }
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert (sent.headers["Idempotency-Key"], sent.headers["X-Shop"]) == (KEY, "hogwarts")
    assert sent.headers["Content-Type"] == "application/json"
    assert "Cookie" not in sent.headers
    assert not isinstance(tool, Undoable)


# A text in a record, and how it comes as a segment of a path and in a query; None: it is not sent at all.
HOSTILE: dict[str, tuple[str, str | None, str | None]] = {
    "braces": ("{reason}{{id}}", "%7Breason%7D%7B%7Bid%7D%7D", "%7Breason%7D%7B%7Bid%7D%7D"),
    "query": ("a?b=c&d#e", "a%3Fb%3Dc%26d%23e", "a%3Fb%3Dc%26d%23e"),
    "at": ("x@evil.example:80", "x%40evil.example%3A80", "x%40evil.example%3A80"),
    "percent": ("%2e%2e%2f%00", "%252e%252e%252f%2500", "%252e%252e%252f%2500"),
    "unicode": (
        "ü🦉\u2024\u2024\uff0f",
        "%C3%BC%F0%9F%A6%89%E2%80%A4%E2%80%A4%EF%BC%8F",
        "%C3%BC%F0%9F%A6%89%E2%80%A4%E2%80%A4%EF%BC%8F",
    ),
    "slash": ("2026/7", "2026%2F7", "2026%2F7"),
    "dots": ("..", None, ".."),
    "dot": (".", None, "."),
    "up": ("../../admin", None, "..%2F..%2Fadmin"),
    "down": ("a/../../admin", None, "a%2F..%2F..%2Fadmin"),
    "back": ("a\\..\\admin", None, "a%5C..%5Cadmin"),
    "another host": ("//evil.example/", None, "%2F%2Fevil.example%2F"),
    "nothing": ("", None, ""),
    "line break": ("a\r\nX-Evil: 1", None, None),
    "nul": ("a\0b", None, None),
    "separator": ("a\u2028b", None, None),
    "half a character": ("a\ud800b", None, None),
    "long": ("x" * 5000, None, None),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_record_says_is_one_segment_or_one_value_or_is_not_sent(name: str) -> None:
    value, segment, query = HOSTILE[name]
    for template, expected in (
        ("https://host.example/a/{x}/b", segment and f"https://host.example/a/{segment}/b"),
        ("https://host.example/a?q={x}&r=1", None if query is None else f"https://host.example/a?q={query}&r=1"),
    ):
        if expected is None:
            with pytest.raises(CannotSend):
                address(template, {"x": value})
        else:
            assert address(template, {"x": value}) == expected
    if name not in {"half a character"}:
        assert json.loads(written(body({"a": "{x}", "b": ["<{x}>"]}, {"x": value}))) == {
            "a": value,
            "b": [f"<{value}>"],
        }
    else:
        with pytest.raises(CannotSend):
            written(body({"a": "{x}"}, {"x": value}))


@pytest.mark.parametrize("value", [None, b"x", float("nan"), ["x"], {"a": 1}], ids=repr)
def test_what_is_no_text_is_in_no_address(value: object) -> None:
    with pytest.raises(CannotSend, match="x is"):
        address("https://host.example/{x}", {"x": value})


def test_two_values_together_lead_nowhere_else() -> None:
    with pytest.raises(CannotSend):
        address("https://host.example/a/{x}{y}/b", {"x": ".", "y": "."})
    with pytest.raises(CannotSend):
        address("https://host.example/a/.{x}/b", {"x": "."})
    assert address("https://host.example/a/v{x}/b", {"x": 1}) == "https://host.example/a/v1/b"


async def test_a_record_whose_text_cannot_stand_in_an_address_is_left_to_a_person(
    shop: Payments, processor: Processor
) -> None:
    shop.file.write_text(http_file(processor.url).replace("/{id}/", "/{failure_code}/"))
    shop.run("UPDATE payments SET failure_code = '../../admin' WHERE id = 7")
    tool, call, terms = await proposed(shop)
    assert "failure_code is empty or leads to another path" in terms.obstacle
    assert (await tool.apply(call)).status is OutcomeStatus.BLOCKED
    assert not processor.asked


async def test_what_was_changed_since_is_stale_and_nothing_is_sent(shop: Payments, processor: Processor) -> None:
    shop.file.write_text(http_file(processor.url))
    tool, call, _ = await proposed(shop)
    shop.run("UPDATE payments SET amount = 99 WHERE id = 7")
    assert (await tool.apply(call)).status is OutcomeStatus.STALE
    assert not processor.asked
    other, again, _ = await proposed(shop, "7")
    shop.file.write_text(shop.file.read_text().replace("/retry", "/refund"))
    stale = await shop.domain().tools["retry_payment"].apply(dataclasses.replace(again, key="another"))
    assert (stale.status, stale.evidence) == (
        OutcomeStatus.STALE,
        ("payments/@file was changed since the plan read it",),
    )
    assert other.name == tool.name
    assert not processor.asked


async def test_what_is_sent_counts_whatever_counts_up(shop: Payments, processor: Processor) -> None:
    text = http_file(processor.url).replace('hide    = ["email"]', 'hide    = ["email"]\nversion = "attempts"')
    shop.file.write_text(text)
    tool, call, _ = await proposed(shop)
    shop.run("UPDATE payments SET currency = 'GBP' WHERE id = 7")
    assert (await proposed(shop))[1].expected == call.expected, "what is not sent counts"
    shop.run("UPDATE payments SET amount = 99 WHERE id = 7")
    assert (await tool.apply(call)).status is OutcomeStatus.STALE
    assert not processor.asked


async def test_of_24_attempts_at_once_one_has_an_effect(shop: Payments, processor: Processor) -> None:
    shop.file.write_text(http_file(processor.url, settle=False, key_header=False))
    tool, call, _ = await proposed(shop)
    came = await asyncio.gather(*(tool.apply(call) for _ in range(24)), return_exceptions=True)
    assert len(processor.changes) == 1
    assert sum(isinstance(each, Effect) and each.status is A for each in came) == 1
    assert all(isinstance(each, Effect | DaperError) for each in came), came
    assert (await tool.apply(call)).status is OutcomeStatus.ALREADY_APPLIED


@pytest.mark.parametrize("life", ["ok", "act 500", "422", "302", "flood", "close"])
async def test_a_secret_is_sent_and_is_nowhere_else(
    shop: Payments, processor: Processor, life: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    processor.behaviours = [life] * 5
    shop.file.write_text(http_file(processor.url))
    tool, call, terms = await proposed(shop)
    said: list[object] = [terms, tool, vars(tool)]
    for ask in (tool.apply(call), tool.apply(call), tool.settle(KEY)):
        try:
            said.append(await ask)
        except DaperError as error:
            said += [error, repr(error), error.__cause__, traceback.format_exc()]
    assert processor.changes[0].headers["Authorization"] == f"Bearer {TOKEN}"
    kept = b"".join(each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    assert TOKEN not in "".join(map(repr, said)) + caplog.text + kept.decode(errors="replace")


@pytest.mark.parametrize("token", ["", "a\r\nX-Evil: 1", "ümlaut", " owl", "x" * 9000], ids=repr)
async def test_a_secret_that_cannot_be_sent_is_not_told_and_nothing_is_sent(
    shop: Payments, processor: Processor, token: str
) -> None:
    shop.more = {"PROCESSOR_TOKEN": token}
    shop.file.write_text(http_file(processor.url))
    tool, call, terms = await proposed(shop)
    assert "PROCESSOR_TOKEN" in terms.obstacle
    assert not token or token not in terms.obstacle
    assert (await tool.apply(call)).status is not A
    assert not processor.asked


async def test_a_flood_is_cut_and_told(shop: Payments, processor: Processor) -> None:
    processor.behaviours = ["flood"]
    shop.file.write_text(http_file(processor.url))
    tool, call, _ = await proposed(shop)
    effect = await tool.apply(call)
    assert effect.evidence[1] == "the answer had more than 65,536 bytes, and was not read on"


async def test_a_system_that_proves_who_it_is_is_asked_over_tls(
    shop: Payments, processor: Processor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    processor.secure(context)
    processor.behaviours = ["act drip"]
    shop.file.write_text(http_file(processor.url.replace("http:", "https:")))
    tool, call, _ = await proposed(shop)
    with pytest.raises(NoAnswer, match="no whole answer within 1 s"):
        await tool.apply(call)
    effect = await tool.apply(call)
    assert (effect.status, processor.acted[KEY]) == (A, 1)
    assert (await tool.holds(call, effect)).holding is Holding.YES


async def test_whoever_takes_a_connection_and_says_nothing_is_not_waited_for(shop: Payments) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shop.file.write_text(http_file(f"https://127.0.0.1:{silent.getsockname()[1]}"))
        tool, call, _ = await proposed(shop)
        effect = await tool.apply(call)
    assert effect.status is F
    assert "nothing was sent" in effect.evidence[0]


async def test_a_system_that_goes_away_after_it_acted_is_asked_again_when_it_is_back(
    shop: Payments, processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object, **__: object) -> list[object]:
        return []

    processor.behaviours = ["act close"]
    shop.file.write_text(http_file(processor.url, settle=False))
    tool, call, _ = await proposed(shop)
    with pytest.raises(NoAnswer, match="RemoteDisconnected"):
        await tool.apply(call)
    with monkeypatch.context() as away:
        away.setattr("socket.getaddrinfo", nobody)
        with pytest.raises(NoAnswer, match="nobody knows yet"):
            await tool.apply(call)
    assert (await tool.apply(call)).status is A
    assert processor.acted[KEY] == 1


async def test_who_cannot_read_the_record_again_sends_nothing(
    shop: Payments, processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.file.write_text(http_file(processor.url, key_header=False, settle=False))
    tool, call, _ = await proposed(shop)
    real, looks = tool.look, iter([True])

    async def look(record_id: str) -> tuple[Record, ...]:
        if next(looks, False):
            return await real(record_id)
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(tool, "look", look)
    assert (await tool.apply(call)).status is F
    assert not processor.asked


async def test_nothing_is_sent_to_whoever_is_not_there_or_proves_nothing(shop: Payments) -> None:
    authority = trustme.CA()
    with processing() as gone:
        pass
    with processing() as tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        tls.secure(context)
        for url, why in (
            (gone.url, "Connection refused"),
            (tls.url.replace("http:", "https:"), "certificate is refused"),
        ):
            shop.file.write_text(http_file(url, settle=False))
            tool, call, _ = await proposed(shop)
            effect = await tool.apply(dataclasses.replace(call, key=f"{KEY} {why}"))
            assert effect.status is F
            assert why in effect.evidence[0]
            assert "nothing was sent" in effect.evidence[0]
    assert not tls.asked


@pytest.mark.parametrize(
    ("answer", "knows"),
    [
        ((200, "{"), False),
        ((200, "[" * 60000), False),
        ((200, '{"state": "done", "x": "' + "y" * 70000 + '"}'), False),
        ((200, '{"state": 1}'), False),
        ((200, '{"state": "pending"}'), False),
        ((503, "<html>"), False),
        ((302, ""), False),
        ((200, '{"state": "done"}'), True),
    ],
    ids=lambda value: repr(value)[:30],
)
async def test_only_a_clear_word_settles_what_is_open(
    shop: Payments, processor: Processor, answer: tuple[int, str], knows: bool
) -> None:
    processor.behaviours = ["act 500"]
    shop.file.write_text(http_file(processor.url, key_header=False))
    tool, call, _ = await proposed(shop)
    with pytest.raises(NoAnswer):
        await tool.apply(call)
    processor.answers = [answer]
    if knows:
        effect = await tool.apply(call)
        assert effect.status is A
        assert (await tool.holds(call, effect)).holding is Holding.YES
        processor.answers = [(404, "{}"), (503, "")]
        assert (await tool.holds(call, effect)).holding is Holding.NO
        assert (await tool.holds(call, effect)).holding is Holding.UNKNOWN, "it keeps others from being verified"
    else:
        with pytest.raises(NoAnswer) as error:
            await tool.apply(call)
        assert TOKEN not in str(error.value)
    assert len(processor.changes) == 1


async def test_help_is_judged_by_the_row_where_the_file_says_so(shop: Payments, processor: Processor) -> None:
    shop.file.write_text(http_file(processor.url, helped=True))
    tool, call, _ = await proposed(shop)
    effect = await tool.apply(call)
    assert (await tool.holds(call, effect)).holding is Holding.NO
    shop.run("UPDATE payments SET status = 'queued' WHERE id = 7")
    assert (await tool.holds(call, effect)).holding is Holding.YES


async def test_what_is_answered_is_noted_also_when_others_hold_the_ledger(
    shop: Payments, processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.file.write_text(http_file(processor.url, settle=False, key_header=False))
    tool, call, _ = await proposed(shop)
    store = tool.books()

    class Held:
        """Others hold the ledger three times, once the processor has answered."""

        left = 3

        @contextmanager
        def change(self) -> Generator[StoreChange[object]]:
            if processor.asked and self.left:
                self.left -= 1
                raise StoreBusy("others hold it")
            with store.change() as change:
                yield change

    held = Held()
    monkeypatch.setattr(tool, "books", lambda: held)
    assert (await tool.apply(call)).status is A
    assert held.left == 0


@pytest.mark.parametrize("answers", ["422", "away"])
async def test_a_clear_no_is_noted_also_when_others_hold_the_ledger(
    shop: Payments, monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    with processing("422") as processor:
        url = processor.url if answers == "422" else "http://127.0.0.1:1"
        shop.file.write_text(http_file(url, settle=False, key_header=False))
        tool, call, _ = await proposed(shop)
        store, begun = tool.books(), tool._begin  # pyright: ignore[reportPrivateUsage] - from here on others hold it
        left = 0

        @contextmanager
        def change() -> Generator[StoreChange[object]]:
            nonlocal left
            if left:
                left -= 1
                raise StoreBusy("others hold it")
            with store.change() as made:
                yield made

        def begin(passage: Any, claim: str) -> bool:  # Any: what the tool gives it
            nonlocal left
            noted, left = begun(passage, claim), 3
            return noted

        monkeypatch.setattr(tool, "books", lambda: SimpleNamespace(change=change))
        monkeypatch.setattr(tool, "_begin", begin)
        assert ((await tool.apply(call)).status, left) == (OutcomeStatus.FAILED, 0)


async def test_many_records_at_once_are_each_asked_for_once_and_none_ends_as_unknown(
    request: pytest.FixtureRequest, processor: Processor, tmp_path: Path
) -> None:
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    url = server.empty()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    shop = make_payments(engine, url, tmp_path / "many")
    shop.more = {"PROCESSOR_TOKEN": TOKEN}
    shop.run(
        "INSERT INTO payments SELECT n, 'O1', 'failed', 'timeout', 1.50, 'EUR', 1, '2026-11-20 10:00:00', NULL "
        "FROM generate_series(100, 119) AS n"
    )
    shop.file.write_text(http_file(processor.url, key_header=False, settle=False))
    calls = [(await proposed(shop, str(each)))[1] for each in range(100, 120)]
    tool = (await proposed(shop, "100"))[0]

    async def attempts(call: ToolCall) -> OutcomeStatus:
        while True:
            try:
                return (await tool.apply(call)).status
            except StoreBusy:  # of the ledger, before anything is sent
                continue

    came = await asyncio.gather(*(attempts(dataclasses.replace(each, key=f"key-{each.record_id}")) for each in calls))
    assert came == [A] * 20
    assert set(processor.acted.values()) == {1}
    assert len(processor.acted) == 20
    engine.dispose()
    disconnect()
