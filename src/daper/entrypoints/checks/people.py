"""What `daper doctor` finds of the people who may be told: whether their servers take what they would be sent."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import assert_never
from urllib.parse import urlsplit

from daper.adapters.notify.reach import reach_mail, reach_webhook
from daper.core.errors import TargetRefused
from daper.core.people import (
    CommandRoute,
    EmailTarget,
    MailRoute,
    People,
    Route,
    SignalTarget,
    SmtpServer,
    Target,
    WebhookTarget,
)
from daper.core.text import counted, visible
from daper.entrypoints.checks.check import Check, checked, in_thread
from daper.settings import Settings


async def check_people(settings: Settings) -> list[Check]:
    """The people file, the mail server, and each webhook; nobody is sent anything."""
    people = settings.people
    if not people.source:
        return []
    missing = people.missing()
    told = f" by default {', '.join(settings.tell)}" if settings.tell else " nobody by default; see DAPER_TELL"
    found = f"{counted(len(people.targets), 'target')} in {people.source}; told is{told}"
    found += "; a worker goes by what stood there when it was started"
    if people.outbox:
        sent = ", ".join(f"{domain} ({route.kind})" for domain, route in sorted(people.outbox.items()))
        found += f"; messages of records are sent for {sent}"
    lacking = (f"{variable} is not set, and {name} needs it" for name, variable in missing.items())
    # A worker refuses to start where a secret is missing; where a server is away, it says who was not told.
    reached = await asyncio.gather(
        *(checked(name, partial(in_thread, look), needed=False) for name, look in _servers(settings))
    )
    return [Check("people who may be told", not missing, "; ".join((found, *lacking))), *reached]


def _servers(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    people, missing = settings.people, settings.people.missing()
    routes = {f"outbox.{domain}": route for domain, route in people.outbox.items()}
    by_mail = [name for name, target in people.targets.items() if isinstance(target, EmailTarget)]
    by_mail += [name for name, route in routes.items() if isinstance(route, MailRoute)]
    if people.smtp is not None and by_mail and not set(by_mail) <= missing.keys():
        yield f"mail, for {', '.join(by_mail)}", partial(_mail, settings, people.smtp)
    for name, target in people.targets.items():
        if isinstance(target, WebhookTarget) and name not in missing:
            yield f"webhook of {name}", partial(_webhook, target, "daper people test NAME")
    for name, route in routes.items():
        if isinstance(route, WebhookTarget) and name not in missing:
            yield f"webhook of {name}", partial(_webhook, route, "daper records outbox")
        if isinstance(route, CommandRoute):
            yield f"program of {name}", partial(_program, route)


def _mail(settings: Settings, server: SmtpServer) -> str:
    reach_mail(server, password=settings.people.secret)
    return "answers, and lets us in; whether a mail arrives: daper people test NAME"


def _webhook(target: WebhookTarget, see: str) -> str:
    reach_webhook(target)
    return f"its server answers; whether it takes a message: {see}"


def _program(route: CommandRoute) -> str:
    """Raises TargetRefused where it is not there."""
    if shutil.which(route.run[0]) is None:
        raise TargetRefused(f"there is no program {visible(route.run[0])} that could be run")
    return "it is there; what became of the messages it was given: daper records outbox"


def people_rows(settings: Settings) -> list[tuple[str, ...]]:
    """Everybody who may be told: name, kind, where, which secret is needed, whether by default; no secret."""
    people = settings.people
    return [
        (name, target.kind, _where(target), _secret(people, name), "by default" if name in settings.tell else "")
        for name, target in sorted(people.targets.items())
    ]


def route_rows(settings: Settings) -> list[tuple[str, ...]]:
    """What takes the messages of each domain's records: domain, kind, where, which secrets are needed; no secret."""
    people = settings.people
    return [
        (domain, route.kind, _to(route), _secrets(people, people.needed_for(domain)))
        for domain, route in sorted(people.outbox.items())
    ]


def sender_rows(settings: Settings) -> list[tuple[str, ...]]:
    """Who tells facts of records: name, which, of what domain, which secret is needed; no secret."""
    people = settings.people
    return [
        (name, ", ".join(sender.facts), sender.domain, _secrets(people, (sender.secret_env,)))
        for name, sender in sorted(people.senders.items())
    ]


def _to(route: Route) -> str:
    match route:
        case MailRoute(reply_to=reply_to):
            return "the address in each message" + (f", answers to {reply_to}" if reply_to else "")
        case WebhookTarget(url=url):
            return _host(url)
        case CommandRoute(run=run):
            # An argument may be a secret too.
            program, *arguments = run
            return f"{program} …" if arguments else program
        case _:
            assert_never(route)


def _host(url: str) -> str:
    """What comes after the host often is a secret itself."""
    return f"{urlsplit(url).scheme}://{urlsplit(url).hostname}/…"


def _where(target: Target) -> str:
    match target:
        case EmailTarget(to=to):
            return ", ".join(to)
        case WebhookTarget(url=url):
            return _host(url)
        case SignalTarget(callback=callback):
            return f"{callback.name} of {callback.workflow_id}"
        case _:
            assert_never(target)


def _secret(people: People, name: str) -> str:
    variable = people.needed(name)
    return _secrets(people, (variable,) if variable else ())


def _secrets(people: People, variables: Sequence[str]) -> str:
    told = [f"{variable} ({'set' if variable in people.secrets else 'NOT SET'})" for variable in variables]
    return ", ".join(told) or "none needed"
