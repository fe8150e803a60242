"""Who comes in to the console by a token, stays in for a session, and goes out; and all who try otherwise."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.types import Message

from daper.adapters.visitors import sessions
from daper.clock import utc_now
from daper.core.access import Access
from daper.entrypoints.web import streams
from daper.entrypoints.web.attempts import MOST, WITHIN_S, Attempts
from daper.entrypoints.web.ways import onward
from tests.console.desk import ALL, HERE, Browser, Desk, form_key_in


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A console at which nobody has to sign in yet."""
    return Desk(tmp_path / "home")


@pytest.fixture
def token(desk: Desk) -> str:
    return desk.tokens.add("Luna", ALL)


@pytest.fixture
async def luna(desk: Desk, token: str) -> AsyncIterator[Browser]:
    """A browser in which Luna has signed in."""
    async with desk.browser() as browser:
        assert (await browser.sign_in(token)).status_code == 303
        yield browser


async def test_who_is_at_this_machine_needs_no_sign_in_until_somebody_has_a_token(desk: Desk) -> None:
    async with desk.browser() as browser:
        assert (await browser.get("/deed")).text == "Harry claimed"
        assert (await browser.get("/sign-in?next=/deed")).headers["location"] == "/deed"
        desk.tokens.add("Luna", ALL)
        assert (await browser.get("/deed")).headers["location"] == "/sign-in?next=/deed"
        assert (await browser.post("/deed")).status_code == 401
    assert desk.deeds == []


async def test_a_token_signs_in_and_the_page_that_was_wanted_comes(desk: Desk, token: str) -> None:
    async with desk.browser() as browser:
        asked = await browser.get("/deed?page=2&x=%C3%A9")
        assert asked.headers["location"] == "/sign-in?next=/deed%3Fpage%3D2%26x%3D%25C3%25A9"
        form = await browser.get(asked.headers["location"])
        key = form_key_in(form.text)
        assert 'value="/deed?page=2&amp;x=%C3%A9"' in form.text
        done = await browser.post("/sign-in", {"csrf": key, "token": f" {token}\n", "next": "/deed?page=2"})
        assert (done.status_code, done.headers["location"]) == (303, "/deed?page=2")
        cookie = done.headers["set-cookie"]
        assert ("HttpOnly" in cookie, "SameSite=strict" in cookie, "Secure" in cookie) == (True, True, False)
        assert token not in cookie
        assert (await browser.get("/deed")).text == "Luna token"


async def test_over_tls_the_cookie_is_for_tls_alone_and_bound_to_the_host(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "home", public_url="https://daper.example.org")
    token = desk.tokens.add("Luna", ALL)
    async with desk.browser() as browser:
        cookie = (await browser.sign_in(token)).headers["set-cookie"]
        assert cookie.startswith("__Host-daper=")
        assert ("Secure" in cookie, "Path=/" in cookie, "omain" in cookie) == (True, True, False)


async def test_a_session_ends_with_its_token_at_once(desk: Desk, luna: Browser) -> None:
    key = await luna.form_key()
    desk.tokens.remove("Luna")
    refused = await luna.post("/deed", {"csrf": key})
    assert refused.status_code == 401
    assert "nothing was done" in refused.text
    desk.tokens.add("Luna", ALL)  # a new token of the same name is not the one that she signed in with
    assert (await luna.get("/deed")).status_code == 303
    assert "your token was removed" in (await luna.get("/sign-in")).text
    assert desk.deeds == []


async def test_what_a_token_allows_by_now_counts(desk: Desk, token: str, luna: Browser) -> None:
    reader = desk.tokens.add("Neville", (Access.READ,))
    async with desk.browser() as browser:
        await browser.sign_in(reader)
        refused = await browser.post("/deed", {"csrf": await browser.form_key()})
        assert refused.status_code == 403
        assert "Neville may read here, and this needs approve. Who may: Luna" in refused.text
    assert desk.deeds == []


async def test_a_session_ends_after_twelve_hours_and_a_sign_out_everywhere(
    desk: Desk, luna: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    had = dict(luna.client.cookies)
    await luna.post("/sign-out", {"csrf": await luna.form_key()})
    assert dict(luna.client.cookies) == {}
    luna.client.cookies.update(had)  # of a copy that somebody made
    assert (await luna.get("/deed")).status_code == 303

    text = desk.console.reception.sign_in(desk.tokens.add("Ginny", ALL), instead_of="")
    assert text is not None
    assert desk.console.reception.signed_in(text)
    later = sessions.Sessions(desk.console.reception.kept.database, now=lambda: utc_now() + timedelta(hours=12))
    assert later.find(text) is None


async def test_signing_in_takes_no_session_that_somebody_else_put_into_the_browser(desk: Desk, token: str) -> None:
    evil = desk.console.reception.sign_in(desk.tokens.add("Draco", ALL), instead_of="") or ""
    for planted in ("x" * 43, evil):
        async with desk.browser() as browser:
            key = await browser.form_key()
            name = desk.console.reception.cookie
            browser.client.cookies.set(name, planted)
            if planted == evil:
                key = await browser.form_key()
            done = await browser.post("/sign-in", {"csrf": key, "token": token})
            assert planted not in done.headers["set-cookie"]
    assert desk.console.reception.signed_in(evil) is None  # the browser's former session is over


@pytest.mark.parametrize(
    "changed",
    [{"csrf": ""}, {"csrf": "0" * 64}, {}],
    ids=["empty", "forged", "missing"],
)
async def test_a_form_without_its_proof_does_nothing(desk: Desk, luna: Browser, changed: dict[str, str]) -> None:
    refused = await luna.post("/deed", changed)
    assert refused.status_code == 403
    assert "nothing was done" in refused.text
    assert desk.deeds == []


async def test_the_proof_is_of_one_session_and_no_other(desk: Desk, token: str, luna: Browser) -> None:
    async with desk.browser() as other:
        strange = await other.form_key()  # of whoever has not signed in
        await other.sign_in(token)
        for key in (strange, await other.form_key()):
            assert (await luna.post("/deed", {"csrf": key})).status_code == 403
    assert (await luna.post("/deed", {"csrf": await luna.form_key()})).status_code == 200
    assert (await luna.post("/deed", x_csrf=await luna.form_key())).status_code == 200
    assert desk.deeds == ["Luna", "Luna"]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8080.evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"host": "evil.example"},
        {"host": "127.0.0.1:8081"},
    ],
    ids=str,
)
async def test_what_another_site_sends_does_nothing_whatever_it_knows(
    desk: Desk, luna: Browser, headers: dict[str, str]
) -> None:
    refused = await luna.post("/deed", {"csrf": await luna.form_key()}, **headers)
    assert refused.status_code in {400, 403}
    assert desk.deeds == []


async def test_without_sign_in_a_form_from_a_browser_needs_its_proof_as_well(desk: Desk) -> None:
    async with desk.browser() as browser:
        assert (await browser.post("/deed")).status_code == 403
        assert (await browser.client.post("/deed")).status_code == 200  # no browser: nobody is led to it
        key = desk.console.reception.form_key(desk.console.reception.visitor(browser.client.headers))  # type: ignore[arg-type]
        assert (await browser.post("/deed", {"csrf": key})).status_code == 200


async def test_json_for_the_api_needs_no_proof_and_a_form_does(desk: Desk, luna: Browser) -> None:
    path = "/api/v1/deed"
    for sent in ({"content": b"{}", "headers": {"content-type": "text/plain"}}, {"data": {"a": "b"}}, {}):
        assert (await luna.client.post(path, **sent)).status_code == 403  # type: ignore[arg-type]  # as httpx takes it
    assert desk.deeds == []
    assert (await luna.client.post(path, json={})).status_code == 200
    assert (await luna.client.post(path, json={}, headers={"origin": "http://evil.example"})).status_code == 403


async def test_a_token_in_a_header_comes_in_without_a_session_and_a_wrong_one_does_not(desk: Desk, token: str) -> None:
    async with desk.browser() as browser:
        sent = {"authorization": f"Bearer {token}"}
        assert (await browser.client.post("/api/v1/deed", headers=sent)).text == "Luna token"
        wrong = await browser.client.post("/api/v1/deed", headers={"authorization": "Bearer daper_no"})
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (401, "Bearer")
        assert wrong.json()["status"] == 401
        assert "set-cookie" not in wrong.headers
    assert desk.deeds == ["Luna"]


async def test_who_is_wrong_too_often_waits_and_who_comes_from_elsewhere_does_not(desk: Desk, token: str) -> None:
    async with desk.browser() as browser, desk.browser(address="192.0.2.2") as other:
        key = await browser.form_key()
        tried = [browser.post("/sign-in", {"csrf": key, "token": f"daper_{n}"}) for n in range(MOST + 5)]
        codes = sorted(answer.status_code for answer in await asyncio.gather(*tried))
        assert codes == [401] * MOST + [429] * 5
        waits = await browser.sign_in(token)
        assert waits.status_code == 429
        assert 0 < int(waits.headers["retry-after"]) <= WITHIN_S
        assert (await other.sign_in(token)).status_code == 303


def test_attempts_are_forgotten_after_a_minute_and_one_network_is_one_person() -> None:
    at = [0.0]
    attempts = Attempts(now=lambda: at[0])
    for number in range(MOST):
        attempts.wrong(f"2001:db8::{number:x}")
    assert attempts.wait("2001:db8::ffff") == WITHIN_S
    assert attempts.wait("2001:db8:0:1::1") == 0
    at[0] = WITHIN_S
    assert attempts.wait("2001:db8::1") == 0
    for number in range(20_000):
        attempts.wrong(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert attempts.known <= 10_000


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "///evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%0d%0aset-cookie: a=b",
        "javascript:alert(1)",
        " /x",
        "/x\r\nlocation: http://evil.example",
        "evil.example",
        "/sign-out",
        "",
        "/" + "a" * 5000,
        "/é",
    ],
)
async def test_signing_in_leads_nowhere_else(desk: Desk, token: str, wanted: str) -> None:
    async with desk.browser() as browser:
        done = await browser.sign_in(token, then=wanted)
        assert (done.status_code, done.headers["location"]) == (303, "/")


def test_a_path_of_ours_is_gone_on_to() -> None:
    for path in ("/", "/repairs/a-b?x=1#a3", "/records/%2F%2Fevil.example", "/a//b"):
        assert onward(path) == path


async def test_a_link_of_another_site_finds_who_is_signed_in(desk: Desk, luna: Browser) -> None:
    """A browser keeps a strict cookie to itself then, and sends it once the page goes on from here."""
    luna.client.cookies.clear()
    came = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    page = await luna.get("/deed?x=1&y=%22", **came)
    assert page.status_code == 200
    assert '<meta http-equiv="refresh" content="0;url=/deed?x=1&amp;y=%22">' in page.text
    assert 'content="0;url=/"' in (await luna.get(f"{HERE}//evil.example/a", **came)).text
    assert (await luna.get("/deed")).status_code == 303


async def test_a_part_of_a_page_that_needs_sign_in_leads_the_whole_page_there(desk: Desk, token: str) -> None:
    async with desk.browser() as browser:
        part = await browser.get("/deed", hx_request="true", hx_current_url=f"{HERE}/repairs/r?x=1")
        assert (part.status_code, part.headers["hx-redirect"]) == (401, "/sign-in?next=/repairs/r%3Fx%3D1")
        part = await browser.get("/deed", hx_request="true", hx_current_url="http://evil.example//evil.example/")
        assert part.headers["hx-redirect"] == "/sign-in"


async def test_nothing_that_is_sent_is_longer_than_a_form_of_ours(desk: Desk, luna: Browser) -> None:
    assert (await luna.post("/deed", {"csrf": "x" * 1024 * 1024})).status_code == 413
    assert desk.deeds == []


async def test_a_stream_ends_once_its_person_is_signed_out(
    desk: Desk, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "ticks", iter(range(0, 1000, 6)).__next__)
    sent: list[bytes] = []

    async def events(request: Request) -> StreamingResponse:
        async def each() -> AsyncIterator[bytes]:
            yield b"data: 1\n\n"
            desk.tokens.remove("Luna")
            yield b"data: 2\n\n"
            yield b"data: 3\n\n"

        return StreamingResponse(each(), media_type="text/event-stream")

    desk.app.router.routes.append(Route("/test/events", events))
    text = desk.console.reception.sign_in(token, instead_of="") or ""

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])
            if not message.get("more_body"):
                sent.append(b"the end")

    cookie = f"{desk.console.reception.cookie}={text}".encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "path": "/test/events",
        "raw_path": b"/test/events",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1:8080"), (b"cookie", cookie)],
        "client": ("192.0.2.1", 1),
        "server": ("127.0.0.1", 8080),
        "scheme": "http",
        "root_path": "",
        "state": {},
    }
    await desk.app(scope, receive, send)
    assert sent == [b"data: 1\n\n", b"event: signed-out\ndata: sign in again\n\n", b"the end"]


async def test_tokens_that_cannot_be_read_let_nobody_in_and_tell_a_stranger_nothing(desk: Desk, token: str) -> None:
    (desk.settings.home / "mcp-tokens.json").write_text("{")
    async with desk.browser() as browser:
        tried = await browser.sign_in(token)
        bearer = await browser.get("/api/v1/deed", authorization=f"Bearer {token}")
        for answer in (tried, bearer):
            assert answer.status_code == 503
            assert str(desk.settings.home) not in answer.text
