"""What `daper doctor` finds of the people who may be told: whether their servers take what they would be sent."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

from daper.adapters.notify.reach import reach_mail, reach_webhook
from daper.core.people import EmailTarget, SmtpServer, WebhookTarget
from daper.core.text import counted
from daper.entrypoints.cli.doctor_check import Check, checked, in_thread
from daper.settings import Settings


async def check_people(settings: Settings) -> list[Check]:
    """The people file, the mail server, and each webhook; nobody is sent anything."""
    people = settings.people
    if not people.source:
        return []
    missing = people.missing()
    told = f" by default {', '.join(settings.tell)}" if settings.tell else " nobody by default; see DAPER_TELL"
    found = f"{counted(len(people.targets), 'target')} in {people.source}; told is{told}"
    lacking = (f"{variable} is not set, and {name} needs it" for name, variable in missing.items())
    # A worker refuses to start where a secret is missing; where a server is away, it says who was not told.
    reached = await asyncio.gather(
        *(checked(name, partial(in_thread, look), needed=False) for name, look in _servers(settings))
    )
    return [Check("people who may be told", not missing, "; ".join((found, *lacking))), *reached]


def _servers(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    people, missing = settings.people, settings.people.missing()
    by_mail = [name for name, target in people.targets.items() if isinstance(target, EmailTarget)]
    if people.smtp is not None and by_mail and not set(by_mail) <= missing.keys():
        yield f"mail, for {', '.join(by_mail)}", partial(_mail, settings, people.smtp)
    for name, target in people.targets.items():
        if isinstance(target, WebhookTarget) and name not in missing:
            yield f"webhook of {name}", partial(_webhook, target)


def _mail(settings: Settings, server: SmtpServer) -> str:
    reach_mail(server, password=settings.people.secret)
    return "answers, and lets us in; whether a mail arrives: daper people test NAME"


def _webhook(target: WebhookTarget) -> str:
    reach_webhook(target)
    return "its server answers; whether it takes a message: daper people test NAME"
