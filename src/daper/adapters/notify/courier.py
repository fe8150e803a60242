"""Hands the messages of an outbox to mail, a webhook or a program, as people.toml says for each domain."""

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from functools import partial
from typing import Final, assert_never

from daper.adapters.notify import email, program, webhook
from daper.core.errors import DeliveryTaken, DeliveryUnknown, TargetRefused, TargetUnreachable
from daper.core.people import CommandRoute, EmailTarget, MailRoute, People, Route, WebhookTarget
from daper.ports import Message

TYPE: Final = "record-message"
_AT_ONCE: Final = 16
_AT_ONCE_EACH: Final = 4
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
_LONGEST_ADDRESS: Final = 254


class PeopleCourier:
    """Knows what takes the messages of each domain, and hands each over in a thread of its own pool."""

    def __init__(self, people: People, *, now: Callable[[], datetime]) -> None:
        self._people = people
        self._now = now
        self._at_once = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(_AT_ONCE_EACH))
        self._threads = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="delivering")

    def carries(self, domain: str) -> bool:
        """Whether people.toml has a table for the outbox of a domain."""
        return domain in self._people.outbox

    async def carry(self, domain: str, message: Message, *, begin: Callable[[], Awaitable[None]]) -> None:
        """Hand one message over; `begin` is awaited right before it may leave."""
        route = self._people.outbox.get(domain)
        if route is None:
            raise TargetRefused(f"people.toml has no table [outbox.{domain}]")
        loop, begun, left = asyncio.get_running_loop(), list[bool](), list[bool]()

        def before() -> None:
            if left:
                raise DeliveryTaken("nobody waits for it any more")
            asyncio.run_coroutine_threadsafe(_awaited(begin), loop).result()
            begun.append(True)

        async with self._at_once[domain]:
            # With its context: by the same clock as here.
            work = partial(self._hand_over, domain, route, message, before)
            try:
                await loop.run_in_executor(self._threads, partial(copy_context().run, work))
            except asyncio.CancelledError:
                left.append(True)  # the thread goes on: nobody could note what comes of it
                raise
            except TargetUnreachable as error:
                if begun and not error.certain:
                    raise DeliveryUnknown(f"it may have gone: {error}") from None
                raise

    def close(self) -> None:
        """Begin nothing any more. What is being sent is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _hand_over(self, domain: str, route: Route, message: Message, before: Callable[[], None]) -> None:
        match route:
            case MailRoute():
                self._mail(route, message, before)
            case WebhookTarget():
                secret = self._people.secret(route.secret_env)
                document = _document(domain, message)
                webhook.post(route, secret, message.id, document, now=self._now(), before_body=before)
            case CommandRoute():
                secrets = {name: self._people.secret(name) for name in route.env}
                env = {**self._people.surroundings, **secrets}
                program.run(route, _document(domain, message), env=env, before_start=before)
            case _:
                assert_never(route)

    def _mail(self, route: MailRoute, message: Message, before: Callable[[], None]) -> None:
        server = self._people.smtp
        if server is None:
            raise TargetRefused("no mail server is configured: the table [smtp] is missing")
        if len(message.to) > _LONGEST_ADDRESS or _ADDRESS.fullmatch(message.to) is None:
            raise TargetRefused("what it is addressed to is no mail address in ASCII")
        letter = email.Mail(
            subject=message.subject, text=message.body, from_name=route.from_name, reply_to=route.reply_to
        )
        target = EmailTarget(to=(message.to,))
        mail = email.compose(letter, message.id, sender=server.sender, to=target.to, now=self._now())
        email.send(mail, server, target, password=self._people.secret, had=set(), before_text=before)


async def _awaited(begin: Callable[[], Awaitable[None]]) -> None:
    await begin()


def _document(domain: str, message: Message) -> dict[str, object]:
    data = message.model_dump(mode="json", include={"to", "subject", "body", "record_id", "at"})
    return {"id": message.id, "type": TYPE, "data": {"domain": domain, **data}}
