"""Forms of the older era: each is open beside the calls that wait for it, so that what is said late counts too.

There the server asks while a call runs, and a client gives up on a call sooner than a person makes up their mind. So a
form belongs to its connection, and what the person says in it is acted upon whether or not a call still waits. It is
withdrawn when a call that waits for it is cancelled, when its connection goes, and at the deadline of the plan. Where
somebody decides elsewhere meanwhile it stays on the screen, and what is said in it is refused with what was decided.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from typing import Any, Final

from mcp import MCPError
from mcp.server.mcpserver import Context

from daper.clock import ticks, utc_now
from daper.core.errors import DecisionRefused
from daper.entrypoints.mcp.answers import DecisionAnswer
from daper.entrypoints.mcp.forms import NO_ANSWER, Confirm, Heard, understood
from daper.entrypoints.mcp.relayed_decision import Wanted

log = logging.getLogger(__name__)

# A client of the older era may give up on a call after 60 s, or not as long as it hears of progress.
PATIENCE_S: Final = 50.0
PROGRESS_S: Final = 15.0
# What came of a form is kept so long for the next call, where none waited for it any more.
KEPT_S: Final = 600.0

# So long after a client answered a form by itself, or closed it, the same one is not sent to it again.
AGAIN_AFTER_S: Final = 10.0

WITHDRAWN: Final = Heard(confirmed=None, why_not="the form was withdrawn, for the client cancelled a call that waited")
LAPSED: Final = Heard(confirmed=None, why_not="nobody answered the form before the time to decide was over")


class NotShown(Exception):
    """The client says that it shows forms, and answered this one with an error, or with what is no answer."""


async def shown(ctx: Context, question: str, *, within: float) -> Heard:
    """Show a form until it is answered, `within` so many seconds. Raises NotShown."""
    try:
        async with asyncio.timeout(within):
            heard = understood(await ctx.elicit(question, Confirm))
    except TimeoutError:
        return LAPSED
    except MCPError as error:
        raise NotShown(f"answered the form with an error (code {error.code})") from None
    except ValueError:  # accepted with nothing, or with what the form does not ask for
        raise NotShown(NO_ANSWER) from None
    return heard if isinstance(heard, Heard) else Heard(confirmed=None)


class OpenForm:
    """One form: shown, and then acted upon by `then`, in tasks of its own."""

    def __init__(
        self,
        chat: object,
        wanted: Wanted,
        *,
        showing: Coroutine[Any, Any, Heard],  # Any: what a coroutine is sent and yields
        then: Callable[[Heard], Awaitable[DecisionAnswer]],
    ) -> None:
        self.chat = chat
        self.wanted = wanted
        self.since: datetime = utc_now()
        self.told = False  # what came of it, to a call
        self.withdrawn = False
        self.ended: float | None = None
        self._showing = asyncio.create_task(showing)
        self._outcome = asyncio.create_task(self._acted_upon(then))
        self._outcome.add_done_callback(self._is_over)

    @property
    def is_open(self) -> bool:
        """Whether the person can still answer, or what they said is just being acted upon."""
        return not self._outcome.done()

    async def answer(self, within: float | None) -> DecisionAnswer | None:
        """What came of it; None if that is not known after so many seconds. Raises what acting upon it raised.

        Whoever is cancelled here withdraws it.
        """
        try:
            done, _ = await asyncio.wait({self._outcome}, timeout=within)
        except asyncio.CancelledError:
            self.withdraw()
            raise
        if not done:
            return None
        self.told = True
        return self._outcome.result()

    def withdraw(self) -> None:
        """Nothing is decided by it any more; what the person has said already is acted upon to the end."""
        if self._showing.cancel():
            self.withdrawn = True

    async def _acted_upon(self, then: Callable[[Heard], Awaitable[DecisionAnswer]]) -> DecisionAnswer:
        try:
            heard = await self._showing
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # this process ends
                self.withdraw()
                raise
            heard = WITHDRAWN
        return await then(heard)

    # Any: as asyncio has it.
    def _is_over(self, outcome: "asyncio.Task[Any]") -> None:
        self.ended = ticks()
        if outcome.cancelled():
            return
        error = outcome.exception()  # for the next call, if none waits
        if error is not None and not isinstance(error, DecisionRefused):
            log.warning("an answer to a form came to nothing", extra={"reason": type(error).__name__})


class OpenForms:
    """The forms of one server; a connection has at most one for each repair."""

    def __init__(self) -> None:
        self._forms: dict[tuple[int, str], OpenForm] = {}

    def of(self, chat: object, repair_id: str) -> OpenForm | None:
        """The form that is open there, or of which no call was told what came."""
        self._forget()
        return self._forms.get((id(chat), repair_id))

    def add(self, form: OpenForm) -> OpenForm:
        """One more, in the place of what was there."""
        self._forms[id(form.chat), form.wanted.repair_id] = form
        return form

    def _forget(self) -> None:
        for key, form in [*self._forms.items()]:
            over = form.ended is not None and (form.told or ticks() - form.ended > KEPT_S)
            if over or form.withdrawn:  # whoever gave up a call may ask again at once
                del self._forms[key]


async def told_of(form: OpenForm, ctx: Context) -> DecisionAnswer | None:
    """Wait as long as the client of this call does: to the end if it hears of progress. None: it is still open."""
    meta = ctx.request_context.meta
    hears = meta is not None and meta.get("progress_token") is not None
    saying = asyncio.create_task(_say_that_we_wait(ctx))
    try:
        return await form.answer(None if hears else PATIENCE_S)
    finally:
        saying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await saying


async def _say_that_we_wait(ctx: Context) -> None:
    waited = 0
    while True:
        waited += 1
        await ctx.report_progress(waited, message="waiting for the person's answer to the form")
        await asyncio.sleep(PROGRESS_S)


class TurnedAway:
    """Who answered a form by itself, or closed it, a moment ago: the same form at once would come to the same end."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, ...], tuple[float, Heard]] = {}

    def note(self, *about: str, heard: Heard) -> None:
        """Such an answer."""
        if heard.unseen and not heard.repeated:
            self._forget()
            self._answers[about] = ticks(), heard

    def just_now(self, *about: str) -> Heard | None:
        """Such an answer of the last seconds."""
        self._forget()
        found = self._answers.get(about)
        if found is None:
            return None
        why = f"no form was sent, for a moment ago {found[1].why_not}"
        return found[1].model_copy(update={"repeated": True, "why_not": why})

    def _forget(self) -> None:
        since = ticks() - AGAIN_AFTER_S
        self._answers = {key: each for key, each in self._answers.items() if each[0] > since}
