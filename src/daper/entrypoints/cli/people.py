"""`daper people list` and `test`."""

from collections.abc import Sequence
from typing import Final, assert_never

from daper.bootstrap import open_notifier
from daper.clock import new_id, utc_now
from daper.core.errors import DaperError, SettingError
from daper.core.notices import TellInput, trial_message
from daper.core.people import EmailTarget, SignalTarget, Target, WebhookTarget
from daper.entrypoints.checks.people import people_rows, route_rows, sender_rows
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Json
from daper.entrypoints.cli.questions import who_asks
from daper.entrypoints.cli.runner import run_to_end
from daper.settings import Part, Settings, load_settings, refuse_unknown

_TARGET: Final = ("name", "kind", "where", "secret", "told")
_ROUTE: Final = ("domain", "kind", "where", "secret")
_SENDER: Final = ("name", "facts", "domain", "secret")


def list_people(*, as_json: Json = False) -> int:
    """Everybody who may be told: the names for --tell and DAPER_TELL. Shows no secret.

    And what takes the messages of records, by domain, and who tells facts of them.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.PEOPLE, Part.POLICY})
    people, targets, routes = settings.people, people_rows(settings), route_rows(settings)
    senders = sender_rows(settings)
    if as_json:
        print_json(
            {
                "file": people.source or None,
                "targets": _documents(_TARGET, targets),
                "tell": list(settings.tell),
                "outbox": _documents(_ROUTE, routes),
                "senders": _documents(_SENDER, senders),
            }
        )
        return Exit.OK
    if targets:
        table(console(), _TARGET, targets)
    else:
        say(console(), f"Nobody can be told: {people.known()}")
    if routes:
        table(console(), ("messages of", *_ROUTE[1:]), [(f"outbox.{domain}", *row) for domain, *row in routes])
    if senders:
        rows = [
            (f"senders.{name}", facts, domain or "the configured ones", secret)
            for name, facts, domain, secret in senders
        ]
        table(console(), ("who tells", "facts", "of records", "secret"), rows)
    return Exit.OK


def _documents(keys: Sequence[str], rows: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    return [dict(zip(keys, row, strict=True)) for row in rows]


def test_person(name: str) -> int:
    """Send a test message to one target, and say what happened.

    Parameters
    ----------
    name
        A name of people.toml; see `people list`.
    """
    settings = load_settings(needs={Part.DATABASE, Part.PEOPLE, Part.USER})
    refuse_unknown("the command line names", [name], settings.people)
    kind = settings.people.target(name).kind
    if kind == "signal-workflow":
        settings.need(Part.TEMPORAL)
    try:
        run_to_end(_test(settings, name), temporal=kind == "signal-workflow")
    except SettingError:
        raise
    except DaperError as error:
        raise type(error)(f"{name} ({kind}) was not told: {error}") from error
    say(console(), f"{name} ({kind}) was told: {_how(settings.people.target(name))}")
    return Exit.OK


async def _test(settings: Settings, name: str) -> None:
    message = trial_message(who_asks(settings).name, at=utc_now())
    notifier = open_notifier(settings)
    try:
        delivery = await notifier.tell(TellInput(event_id=new_id(), target=name, message=message))
    finally:
        notifier.close()
    if delivery.callback is not None:
        from daper.adapters.temporal.connection import connect
        from daper.service.callback import call_back

        await call_back(await connect(settings), delivery.callback, message)


def _how(target: Target) -> str:
    match target:
        case EmailTarget(to=to):
            return f"the mail server took a message to {', '.join(to)}; see whether it arrives"
        case WebhookTarget():
            return "the server accepted it"
        case SignalTarget():
            return "the signal is in the workflow's history"
        case _:
            assert_never(target)
