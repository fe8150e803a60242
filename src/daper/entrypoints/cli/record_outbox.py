"""`daper records outbox`: what repairs wrote to others, what became of it, and what a person does about it."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from daper.activities.posting import Posting
from daper.bootstrap import open_courier, open_domains
from daper.clock import utc_now
from daper.core.errors import TargetUnreachable, UserError
from daper.core.outbox import MessageState, in_words, withdrawn
from daper.core.text import shown
from daper.entrypoints.cli.exits import Exit, UsageError
from daper.entrypoints.cli.output import console, print_json, say, table
from daper.entrypoints.cli.parameters import Flag, Json
from daper.entrypoints.cli.questions import who_asks
from daper.entrypoints.cli.runner import run_to_end
from daper.ports import Message
from daper.service.records import RecordsService
from daper.settings import Part, load_settings

_LONGEST_SUBJECT = 50


def outbox(
    number: Annotated[int | None, Parameter(show_default=False)] = None,
    *,
    state: MessageState | None = None,
    send: Flag = False,
    sent_by_hand: Flag = False,
    not_sent: Flag = False,
    domain: str | None = None,
    as_json: Json = False,
) -> int:
    """The messages that repairs wrote, and what became of each; with a number, one of them with its text to copy.

    written: it was not sent, for nothing is set up to send it, or that did not take it. refused: it was not sent, and
    trying again is no use before something is mended. unknown: it may have gone, and is never sent again by itself.
    simulated: it is of the shipped records, whose other side only plays along, and never leaves.

    Parameters
    ----------
    number
        Of a message, as the list shows it.
    state
        Only messages in this state.
    send
        Send the message now, as people.toml says: one that is written or refused.
    sent_by_hand
        Note that a person sent it.
    not_sent
        Note that one that may have gone has not: it can be sent again.
    domain
        Which records; see DAPER_DOMAIN.
    as_json
        Print one JSON document.
    """
    if send + sent_by_hand + not_sent > 1:
        raise UsageError("say one of --send, --sent-by-hand and --not-sent")
    if number is None and (send or sent_by_hand or not_sent):
        raise UsageError("say which message, by the number that daper records outbox shows")
    settings = load_settings(needs={Part.DATABASE, Part.PEOPLE, Part.USER})
    name, courier = settings.domain_or(domain), open_courier(settings)
    posting = RecordsService(domains=open_domains(settings)).posting(name, courier, now=utc_now)
    try:
        found = run_to_end(_found(posting, number, state))
        if number is not None:
            [message] = found
            found = [run_to_end(_acted(posting, message, send, sent_by_hand, not_sent, by=who_asks(settings).name))]
    finally:
        courier.close()
    if as_json:
        print_json({"domain": name, "messages": [_document(message) for message in found]})
    elif number is None:
        _draw(found)
    else:
        for line in _lines(found[0]):
            say(console(), line)
    return Exit.PERSON_NEEDED if send and found[0].state is not MessageState.SENT else Exit.OK


async def _found(posting: Posting, number: int | None, state: MessageState | None) -> list[Message]:
    messages = [message for message in await posting.all() if state in (None, message.state)]
    if number is None:
        return messages
    found = [message for message in messages if message.sequence == number]
    if not found:
        raise UserError(f"there is no message {number}; daper records outbox lists those that there are")
    return found


async def _acted(
    posting: Posting, message: Message, send: bool, sent_by_hand: bool, not_sent: bool, *, by: str
) -> Message:
    if sent_by_hand:
        return await posting.say(message.key, message.number, MessageState.SENT, f"by hand, says {by}")
    if not_sent:
        return await posting.say(message.key, message.number, MessageState.WRITTEN, f"it has not gone, says {by}")
    if not send:
        return message
    if message.state in {MessageState.SENT, MessageState.SIMULATED} or withdrawn(message.note):
        raise UserError(f"message {message.sequence} is {in_words(message.state, message.note)}; it is not sent again")
    if message.state is MessageState.UNKNOWN:
        raise UserError(
            f"message {message.sequence} may have gone ({message.note}). Find out: then say --sent-by-hand, or "
            "--not-sent, after which it can be sent"
        )
    try:
        return await posting.deliver(message.key, message.number, again=True)
    except TargetUnreachable:
        return await posting.look(message.key, message.number)


def _draw(found: Sequence[Message]) -> None:
    if not found:
        say(console(), "There is no such message in the outbox.")
        return
    rows = [
        (
            str(message.sequence),
            str(message.state),
            message.record_id,
            message.to,
            shown(message.subject, longest=_LONGEST_SUBJECT),
            message.note,
        )
        for message in found
    ]
    table(console(), ("number", "state", "record", "to", "subject", "why"), rows)


def _lines(message: Message) -> list[str]:
    when = f", {message.noted_at:%Y-%m-%d %H:%M:%S %Z}" if message.noted_at else ""
    return [
        f"Message {message.sequence} of {shown(message.record_id)}: {in_words(message.state, message.note)}{when}",
        f"Id: {message.id}",
        f"To: {message.to}",
        f"Subject: {message.subject}",
        "",
        *message.body.splitlines(),
    ]


def _document(message: Message) -> dict[str, object]:
    return {"id": message.id, **message.model_dump(mode="json")}
