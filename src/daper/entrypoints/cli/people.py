"""`daper people list` and `test`."""

from typing import assert_never
from urllib.parse import urlsplit

from daper.bootstrap import open_notifier
from daper.clock import new_id, utc_now
from daper.core.errors import DaperError, SettingError
from daper.core.notices import TellInput, trial_message
from daper.core.people import EmailTarget, People, SignalTarget, Target, WebhookTarget
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
    people, rows = settings.people, _rows(settings)
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


def _rows(settings: Settings) -> list[tuple[str, ...]]:
    people = settings.people
    return [
        (name, target.kind, _where(target), _secret(people, name), "by default" if name in settings.tell else "")
        for name, target in sorted(people.targets.items())
    ]


def _where(target: Target) -> str:
    match target:
        case EmailTarget(to=to):
            return ", ".join(to)
        case WebhookTarget(url=url):
            # What comes after the host often is a secret itself.
            return f"{urlsplit(url).scheme}://{urlsplit(url).hostname}/…"
        case SignalTarget(callback=callback):
            return f"{callback.name} of {callback.workflow_id}"
        case _:
            assert_never(target)


def _secret(people: People, name: str) -> str:
    variable = people.needed(name)
    if not variable:
        return "none needed"
    return f"{variable} ({'set' if variable in people.secrets else 'NOT SET'})"


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
