"""Tells people by e-mail and webhook, behind the port; each message in a thread of its own pool."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from functools import partial
from typing import assert_never

from daper.adapters.notify import email, webhook
from daper.adapters.notify.letter import commands, letter_document, plain_letter, subject
from daper.adapters.reports.repair_report import repair_report
from daper.core.errors import SettingError, TargetRefused
from daper.core.ids import safe_name
from daper.core.notices import Delivery, Notice, Occasion, TellInput
from daper.core.outcomes import RepairResult
from daper.core.people import EmailTarget, People, SignalTarget, WebhookTarget
from daper.documents.html import to_html
from daper.documents.pdf import to_pdf
from daper.ports import Reports

log = logging.getLogger(__name__)

MOST_ATTACHED = 5_000_000  # bytes; many mail servers take 10 MB, as base64
_AT_ONCE = 16
_AT_ONCE_EACH = 2
_REMEMBERED = 1000


class PeopleNotifier:
    """Knows where each name leads to. A server that hangs takes two threads of the pool, and leaves those of others."""

    def __init__(
        self,
        people: People,
        *,
        reports: Reports,
        link: Callable[[str], str | None],
        now: Callable[[], datetime],
        decide: Callable[[TellInput], str | None] = lambda _: None,
    ) -> None:
        """`link`: where a workflow can be looked at, or None where nobody knows; `decide`: where it is decided on.

        Both may block.
        """
        self._people = people
        self._reports = reports
        self._link = link
        self._now = now
        self._decide = decide
        self._at_once = defaultdict[str, asyncio.Semaphore](lambda: asyncio.Semaphore(_AT_ONCE_EACH))
        self._had: dict[str, set[str]] = {}  # which addresses have a mail that others were refused, by the event's id
        self._threads = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="telling")

    async def tell(self, given: TellInput) -> Delivery:
        """Send one message to one target, or say which workflow is to be signalled."""
        target = self._people.target(given.target)
        match target:
            case SignalTarget():
                return Delivery(callback=target.callback)
            case WebhookTarget():
                send = partial(self._post, target, given)
            case EmailTarget():
                result = await self._result(given.message)
                send = partial(self._mail, target, given, result, self._addresses_with(given.event_id))
            case _:
                assert_never(target)
        async with self._at_once[given.target]:
            # With its context: by the same clock as here.
            timed = partial(copy_context().run, send)
            await asyncio.get_running_loop().run_in_executor(self._threads, timed)
        self._had.pop(given.event_id, None)
        return Delivery()

    def close(self) -> None:
        """Begin nothing any more. What is being sent is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _result(self, message: Notice) -> RepairResult | None:
        return await self._reports.read(message.subject_id) if message.event.ends else None

    def _post(self, target: WebhookTarget, given: TellInput) -> None:
        secret = self._people.secret(target.secret_env)
        webhook.post(target, secret, given.event_id, self._json(given), now=self._now())

    def _json(self, given: TellInput) -> dict[str, object]:
        message, link = given.message, self._seen_at(given.message)
        return {
            "id": given.event_id,
            "type": str(message.event),
            "target": given.target,
            "data": message.model_dump(mode="json"),
            "text": plain_letter(message, link),
            "commands": [command.line for command in commands(message)],
            "link": link,
        }

    def _addresses_with(self, event_id: str) -> set[str]:
        """Which have the mail of an event already, from an attempt in which others were refused."""
        had = self._had.setdefault(event_id, set())
        if len(self._had) > _REMEMBERED:
            del self._had[next(iter(self._had))]
        return had

    def _mail(self, target: EmailTarget, given: TellInput, result: RepairResult | None, had: set[str]) -> None:
        server = self._people.smtp
        if server is None:
            raise TargetRefused("no mail server is configured: the table [smtp] is missing")
        message, link = given.message, self._seen_at(given.message)
        decide = self._decide(given)
        letter = email.Mail(
            subject=subject(message),
            text=plain_letter(message, link, decide),
            html=to_html(letter_document(message, link, decide)),
            attachment=_attachment(result) if result is not None else None,
        )
        mail = email.compose(letter, given.event_id, sender=server.sender, to=target.to, now=self._now())
        email.send(mail, server, target, password=self._people.secret, had=had)

    def _seen_at(self, message: Notice) -> str | None:
        return None if message.event is Occasion.TEST else self._link(message.subject_id)


def _attachment(result: RepairResult) -> email.Attachment | None:
    """The report as PDF; as HTML where the typesetter is not installed; not at all where it is too large to mail."""
    name, report = safe_name(result.repair_id), repair_report(result)
    try:
        data, kind = to_pdf(report), ("application", "pdf")
    except Exception as error:  # noqa: BLE001 - a mail without the PDF is better than none
        if not isinstance(error, SettingError):
            log.warning("a report could not be set as PDF", extra={"reason": f"{type(error).__name__}: {error}"})
        data, kind = to_html(report).encode(), ("text", "html")
    if len(data) > MOST_ATTACHED:
        return None
    return email.Attachment(name=f"{name}.{kind[1]}", maintype=kind[0], subtype=kind[1], data=data)
