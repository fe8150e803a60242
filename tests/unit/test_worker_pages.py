"""The pages of a worker: what they say, to whom, and what they bear."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus

import pytest

from daper.adapters.metrics import pages
from daper.adapters.metrics.pages import MOST_AT_ONCE, Answer, pages_at
from daper.adapters.metrics.readiness import Readiness
from daper.adapters.metrics.worker_pages import worker_pages
from daper.core.errors import Occupied, SettingError, StoreUnavailable

AT_ONCE = timedelta()


async def sent(address: str, request: bytes) -> bytes:
    """All that is answered to a request, up to the end of the connection."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def hello() -> Answer:
    return Answer(b"hello\n")


@asynccontextmanager
async def served(host: str = "127.0.0.1") -> AsyncGenerator[str]:
    async with pages_at(host, 0, {"/hello": hello}) as address:
        yield address


REQUESTS = {
    "a page": (b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", 200, b"hello\n"),
    "with a query": (b"GET /hello?verbose HTTP/1.0\r\n\r\n", 200, b"hello\n"),
    "its head": (b"HEAD /hello HTTP/1.1\r\n\r\n", 200, b""),
    "no page": (b"GET / HTTP/1.1\r\n\r\n", 404, b"Not Found\n"),
    "no such page": (b"GET /hello/../secret HTTP/1.1\r\n\r\n", 404, b"Not Found\n"),
    "a change": (b"POST /hello HTTP/1.1\r\nContent-Length: 9\r\n\r\n", 405, b"Method Not Allowed\n"),
    "another way": (b"DELETE /hello HTTP/1.1\r\n\r\n", 405, b"Method Not Allowed\n"),
    "no HTTP": (b"hello\r\n\r\n", 400, b"Bad Request\n"),
    "another HTTP": (b"GET /hello HTTP/2\r\n\r\n", 400, b"Bad Request\n"),
    "bytes": (b"\x16\x03\x01\xff\xfe \x00 HTTP/1.\r\n\r\n", 404, b"Not Found\n"),
    "too much": (b"GET /hello HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431, b"Request Header Fields Too Large\n"),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_each_request_gets_one_answer_and_the_connection_ends(name: str) -> None:
    request, status, body = REQUESTS[name]
    async with served() as address:
        head, _, said = (await sent(address, request)).partition(b"\r\n\r\n")

    assert head.startswith(f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode())
    assert said == body
    assert b"\r\nConnection: close" in head
    assert (b"\r\nAllow: GET, HEAD\r\n" in head) == (status == 405)


async def test_pages_are_served_on_other_families_too() -> None:
    async with served("::1") as address:
        assert address.startswith("[::1]:")
        assert (await sent(address, b"GET /hello HTTP/1.1\r\n\r\n")).endswith(b"hello\n")


async def test_more_connections_than_may_be_are_closed_unheard_and_the_others_are_answered() -> None:
    async with served() as address:
        host, _, port = address.rpartition(":")
        waiting = [await asyncio.open_connection(host, int(port)) for _ in range(MOST_AT_ONCE)]
        try:
            assert await sent(address, b"GET /hello HTTP/1.1\r\n\r\n") == b""
            for reader, writer in waiting:
                writer.write(b"GET /hello HTTP/1.1\r\n\r\n")
                assert (await reader.read()).endswith(b"hello\n")
            assert (await sent(address, b"GET /hello HTTP/1.1\r\n\r\n")).endswith(b"hello\n")
        finally:
            for _, writer in waiting:
                writer.close()


async def test_whoever_asks_and_does_not_go_on_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_PATIENCE_S", 0.0)
    async with served() as address:
        assert await sent(address, b"GET /hello HTTP/1.1\r\n") == b""


async def test_a_port_that_somebody_has_is_named_and_so_is_an_address_of_another_machine() -> None:
    async with served() as address:
        with pytest.raises(Occupied, match=f"DAPER_WORKER_ADDRESS is '{address}', and another process has that port"):
            async with pages_at("127.0.0.1", int(address.rpartition(":")[2]), {}):
                pass
    for elsewhere in ("192.0.2.1", "no-such-host.invalid"):
        with pytest.raises(SettingError, match=f"DAPER_WORKER_ADDRESS is '{elsewhere}:9464', where this machine"):
            async with pages_at(elsewhere, 9464, {}):
                pass


async def said(readiness: Readiness) -> tuple[int, dict[str, object]]:
    """What `/ready` says."""
    answer = await worker_pages(readiness, None)["/ready"]()
    assert answer.body.endswith(b"}\n")
    assert answer.body.count(b"\n") == 1
    return answer.status, json.loads(answer.body)


async def fine() -> None:
    pass


async def test_a_worker_is_ready_from_when_it_polls_until_it_drains() -> None:
    readiness = Readiness()
    assert await said(readiness) == (503, {"ready": False, "reason": "it starts, and polls no queue yet"})

    readiness.begun({"Temporal": fine})
    assert await said(readiness) == (200, {"ready": True})

    readiness.drain()
    status, document = await said(readiness)
    assert (status, document["ready"]) == (503, False)
    assert str(document["reason"]).startswith("it was told to stop: ")


async def test_a_worker_that_is_ready_says_what_whoever_runs_it_should_know() -> None:
    notes: list[str] = []
    readiness = Readiness()
    readiness.begun({"Temporal": fine}, notes=lambda: notes)
    assert await said(readiness) == (200, {"ready": True})
    notes.append("people.toml\u202e has changed")
    assert await said(readiness) == (200, {"ready": True, "notes": ["people.toml<U+202E> has changed"]})


async def test_a_worker_says_what_does_not_answer_and_no_more_than_it_may() -> None:
    async def full() -> None:
        raise StoreUnavailable("the disk\u202e is full\nnow")

    async def breaks() -> None:
        raise RuntimeError("password=hunter2")

    readiness = Readiness()
    readiness.begun({"records of orders": full, "Temporal": fine, "what is kept": breaks})

    status, document = await said(readiness)

    assert status == 503
    assert document["reason"] == "records of orders: the disk<U+202E> is full<U+000A>now; what is kept: RuntimeError"
    assert (await worker_pages(readiness, None)["/health"]()).status == 200


async def test_what_hangs_is_told_and_looked_at_once_however_often_somebody_asks() -> None:
    looks, goes_on = list[int](), asyncio.Event()

    async def hangs() -> None:
        looks.append(1)
        await goes_on.wait()

    readiness = Readiness(within=AT_ONCE)
    readiness.begun({"records of orders": hangs})

    for _ in range(3):
        assert await said(readiness) == (503, {"ready": False, "reason": "records of orders: no answer within 0 s"})
    assert looks == [1]
    goes_on.set()
    await asyncio.sleep(0)  # the look ends
    await asyncio.sleep(0)
    patient = Readiness()
    patient.begun({"records of orders": hangs})
    assert await said(patient) == (200, {"ready": True})


async def test_a_process_that_counts_nothing_says_so() -> None:
    answer = await worker_pages(Readiness(), None)["/metrics"]()

    assert answer.status == 503
    assert json.loads(answer.body) == {"reason": "this process counts nothing"}
