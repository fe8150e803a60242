"""`daper people list` and `test`."""

from typing import assert_never

from daper.bootstrap import open_notifier
from daper.clock import new_id, utc_now
from daper.core.errors import DaperError, SettingError
from daper.core.notices import TellInput, trial_message
from daper.core.people import EmailTarget, SignalTarget, Target, WebhookTarget
from daper.entrypoints.checks.people import people_rows
from daper.entrypoints.cli.exits import Exit
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Json
from daper.entrypoints.cli.questions import who_asks
from daper.entrypoints.cli.runner import run_to_end
from daper.settings import Part, Settings, load_settings, refuse_unknown


def list_people(*, as_json: Json = False) -> int:
    """Everybody who may be told: the names for --tell and DAPER_TELL. Shows no secret.

    Parameters
    ----------
    as_json
        Print one JSON document.
    """
    settings = load_settings(needs={Part.PEOPLE, Part.POLICY})
    people, rows = settings.people, people_rows(settings)
    if as_json:
        keys = ("name", "kind", "where", "secret", "told")
        told = [dict(zip(keys, row, strict=True)) for row in rows]
        print_json({"file": people.source or None, "targets": told, "tell": list(settings.tell)})
    elif not rows:
        say(console(), f"Nobody can be told: {people.known()}")
    else:
        table(console(), ("name", "kind", "where", "secret", "told"), rows)
    return Exit.OK


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
