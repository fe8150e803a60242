"""Webhooks against a real HTTP server: signed, bounded, never redirected, and no error tells where they lead to."""

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from daper.adapters.notify.notifier import PeopleNotifier
from daper.adapters.notify.webhook import key_of, post
from daper.adapters.state import StatePlace
from daper.core.errors import DaperError, TargetRefused, TargetUnreachable
from daper.core.notices import TellInput, trial_message
from daper.core.people import People, WebhookTarget
from tests.ports import free_port
from tests.receiving import DROP, HANG, SECRET, Hook, hook

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def target(url: str, **more: object) -> WebhookTarget:
    known = WebhookTarget(url=url, secret_env="OWL_SECRET")  # noqa: S106 - the name of a variable
    return replace(known, **more)  # pyright: ignore[reportArgumentType]  # of a test


async def send(to: WebhookTarget, *, secret: str = SECRET) -> None:
    await asyncio.to_thread(post, to, secret, "event-1", {"type": "test", "text": "Ünïcode 🦉"}, now=NOW)


async def test_a_webhook_gets_signed_json_with_id_and_time() -> None:
    async with hook() as server:
        await send(target(server.url))

    [request] = server.requests
    assert request.signed
    assert request.path == "/hooks/planted-path?x=1"
    assert request.headers["webhook-id"] == "event-1"
    assert request.headers["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.document["text"] == "Ünïcode 🦉"


async def test_a_changed_body_or_time_has_another_signature() -> None:
    async with hook() as server:
        await send(target(server.url))
    [request] = server.requests
    assert not replace(request, body=request.body + b" ").signed
    assert not replace(request, headers={**request.headers, "webhook-timestamp": "1"}).signed


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
async def test_what_may_pass_is_tried_again(status: int) -> None:
    async with hook(status, headers="Retry-After: 7\r\n") as server:
        with pytest.raises(TargetUnreachable, match=str(status)) as error:
            await send(target(server.url))
    assert error.value.retry_after == timedelta(seconds=7)
    assert_tells_nothing(error.value, server)


THERE = "Date: Fri, 02 Jan 2026 10:00:00 GMT\r\n"  # where it is seven hours later than here


@pytest.mark.parametrize("status", [503, 429, 408, 425, 500, 502])
@pytest.mark.parametrize(
    ("pause", "date", "seconds"),
    [
        ("200", "", 200),
        (" 7 ", "", 7),
        ("0000000200", "", 200),
        ("Fri, 02 Jan 2026 10:02:30 GMT", THERE, 150),
        ("Friday, 02-Jan-26 10:02:30 GMT", THERE, 150),
        ("Fri Jan  2 10:02:30 2026", THERE, 150),
        ("Fri, 02 Jan 2026 03:04:25 GMT", "", 20),  # by our own clock, where it tells no time
        ("Fri, 02 Jan 2026 03:04:25 GMT", "Date: noon\r\n", 20),
    ],
)
async def test_a16_a_server_is_left_alone_for_as_long_as_it_says(
    status: int, pause: str, date: str, seconds: int
) -> None:
    async with hook(status, headers=f"{date}Retry-After: {pause}\r\n") as server:
        with pytest.raises(TargetUnreachable) as error:
            await send(target(server.url))
    assert error.value.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "pause", ["-5", "0", "", "1.5", "7 s", "\u0667", "soon", "Fri, 32 Jan 2026 10:00:00 GMT", "a, b"]
)
async def test_a16_a_pause_that_says_nothing_is_not_waited_for(pause: str) -> None:
    async with hook(503, headers=f"Retry-After: {pause}\r\n") as server:
        with pytest.raises(TargetUnreachable) as error:
            await send(target(server.url))
    assert error.value.retry_after is None


async def test_a16_a_date_that_is_over_is_not_waited_for() -> None:
    async with hook(503, headers=f"{THERE}Retry-After: Fri, 02 Jan 2026 09:59:59 GMT\r\n") as server:
        with pytest.raises(TargetUnreachable) as error:
            await send(target(server.url))
    assert error.value.retry_after is None


@pytest.mark.parametrize("pause", ["301", "86400", "9" * 5000, "Wed, 21 Oct 2099 07:28:00 GMT"])
async def test_a16_nobody_makes_us_wait_for_longer_than_the_docs_say(pause: str) -> None:
    async with hook(503, headers=f"Retry-After: {pause}\r\n") as server:
        with pytest.raises(TargetUnreachable) as error:
            await send(target(server.url))
    assert error.value.retry_after == timedelta(minutes=5)


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_what_will_not_pass_is_not_tried_again(status: int) -> None:
    async with hook(status) as server:
        with pytest.raises(TargetRefused, match=str(status)) as error:
            await send(target(server.url))
    assert_tells_nothing(error.value, server)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with hook() as elsewhere, hook(status, headers=f"Location: {elsewhere.url}\r\n") as server:
        with pytest.raises(TargetRefused, match="not followed"):
            await send(target(server.url))
    assert len(server.requests) == 1
    assert not elsewhere.requests


async def test_a_server_that_hangs_or_drops_may_answer_later() -> None:
    async with hook(HANG, DROP) as server:
        with pytest.raises(TargetUnreachable, match=r"no answer within 0\.2 s"):
            await send(target(server.url, timeout=timedelta(seconds=0.2)))
        with pytest.raises(TargetUnreachable, match="no answer: RemoteDisconnected"):
            await send(target(server.url))


async def test_a_server_that_is_down_may_be_up_later() -> None:
    with pytest.raises(TargetUnreachable, match="no answer: Connection refused"):
        await send(target(f"http://127.0.0.1:{free_port()}/"))


async def test_a_certificate_of_an_authority_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    ca, others = trustme.CA(), trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    others.cert_pem.write_to_path(tmp_path / "others.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    elsewhere = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("planted.example").configure_cert(elsewhere)
    async with hook(tls=context) as server, hook(tls=elsewhere) as other:
        await send(target(server.url, ca_file=tmp_path / "ca.pem"))
        with pytest.raises(TargetRefused, match="an authority that is not trusted here"):
            await send(target(server.url, ca_file=tmp_path / "others.pem"))
        with pytest.raises(TargetRefused, match="for another address") as error:
            await send(target(other.url, ca_file=tmp_path / "ca.pem"))
        with pytest.raises(TargetRefused, match="holds no certificates"):
            await send(target(server.url, ca_file=tmp_path / "empty.pem"))
    assert len(server.requests) == 1
    assert not other.requests
    assert_tells_nothing(error.value, other)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_&&&&", SECRET.removeprefix("whsec_")])
async def test_a_secret_that_is_none_sends_nothing(secret: str) -> None:
    assert key_of(secret) is None
    async with hook() as server:
        with pytest.raises(TargetRefused, match="OWL_SECRET"):
            await send(target(server.url), secret=secret)
    assert not server.requests


def assert_tells_nothing(error: DaperError, server: Hook) -> None:
    """It is kept in the history of a repair, with its cause."""
    assert error.__suppress_context__ or error.__context__ is None
    assert "planted" not in str(error)
    assert "127.0.0.1" not in str(error)
    assert SECRET not in str(error)


async def test_a_server_that_hangs_keeps_nobody_else_from_being_told(tmp_path: Path) -> None:
    """However many messages wait for it: they never have all the threads."""
    async with hook(*[HANG] * 40) as hanging, hook() as good:
        targets = {"slow": target(hanging.url), "owl": target(good.url)}
        people = People(source="people.toml", targets=targets, secrets={"OWL_SECRET": SECRET})
        notifier = PeopleNotifier(
            people, reports=StatePlace(home=tmp_path).reports(), link=lambda _: None, now=lambda: NOW
        )
        message = trial_message("Harry", at=NOW)

        def told(name: str, number: int) -> TellInput:
            return TellInput(event_id=f"{name}-{number}", target=name, message=message)

        waiting = [asyncio.create_task(notifier.tell(told("slow", number))) for number in range(40)]
        await hanging.until(1)
        async with asyncio.timeout(15):  # a message for the slow one would be given up after 20 s
            await notifier.tell(told("owl", 1))
        assert not [each for each in waiting if each.done()]
        hanging.holding.set()
        await asyncio.gather(*waiting, return_exceptions=True)
        notifier.close()
    assert len(good.requests) == 1
