"""One agent run: a prompt, a form for the answer, a check of what it means, and what it took."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx2
from pydantic_ai import Agent, ModelRetry, NativeOutput, PromptedOutput, RunContext, ToolOutput, UsageLimits
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
)
from pydantic_ai.models import Model
from pydantic_ai.settings import ModelSettings

from daper.agents.llm.config import OutputMode, ThinkingSettings
from daper.agents.llm.envelope import NotAnAnswer, behind
from daper.agents.llm.failures import translate
from daper.agents.llm.meter import Account, MeteredModel
from daper.agents.llm.modes import Modes
from daper.core.base import Reply
from daper.core.errors import DaperError, ModelOutputError
from daper.core.usage import Spent

R = TypeVar("R", bound=Reply)

SENT_BACK = 2  # how often one bad answer is sent back with the reason, before the activity as a whole tries again
_WRONG_MODE = frozenset({400, 415, 422, 501})
_OTHER_REASONS = (
    ModelAuthenticationError,
    ModelNotFoundError,
    ModelContextWindowExceededError,
    ModelQuotaExceededError,
)


@dataclass(frozen=True, kw_only=True)
class Question(Generic[R]):
    """What is asked: instructions, data, the form of the answer. `check` says what is wrong with an answer, or None.

    `lenient`: what the check says against the last answer that may be given is let pass. `most_output`: tokens that an
    answer to it needs at most, where that is less than is allowed. `about` names it in messages.
    """

    instructions: str
    data: str
    form: type[R]
    check: Callable[[R], str | None]
    about: str
    lenient: bool = False
    most_output: int | None = None


@dataclass(frozen=True, kw_only=True)
class Opened:
    """One model, ready to be asked, and what was found out about it.

    `proxy`: the variable that names the proxy on the way to it.
    """

    name: str
    key: str
    model: Model
    client: httpx2.AsyncClient
    modes: Modes
    proxy: str = ""


async def answered(
    question: Question[R], opened: Opened, account: Account, settings: ThinkingSettings
) -> tuple[R, Spent]:
    """The answer that fits, and what it took.

    A server that does not take the form of the answer is asked in another one. Raises ModelError, SpendingCapReached,
    ModelUnavailable, ModelOutputError.
    """
    metered = MeteredModel(opened.model, account)
    while True:
        mode = opened.modes.now
        try:
            return await _run(question, metered, mode, settings), metered.spent
        except ModelHTTPError as error:
            if not (_is_about_the_form(error) and opened.modes.step_down(mode)):
                raise _ours(error, opened, question) from None
        except (AgentRunError, NotAnAnswer) as error:
            ours = _ours(error, opened, question)
            if isinstance(ours, ModelOutputError) and (behind(error) or not isinstance(error, ModelAPIError)):
                opened.modes.step_down(mode)  # for the next try: it may do better when it is asked otherwise
            raise ours from None  # what theirs says may hold the key, and a cause would be kept


def _ours(error: Exception, opened: Opened, question: Question[R]) -> DaperError:
    return translate(error, name=opened.name, key=opened.key, about=question.about, proxy=opened.proxy)


async def _run(question: Question[R], model: Model, mode: OutputMode, settings: ThinkingSettings) -> R:
    agent: Agent[object, R] = Agent(
        model,
        output_type=_in_form(question.form, mode),
        instructions=question.instructions,
        retries={"output": SENT_BACK},
        model_settings=ModelSettings(
            max_tokens=min(settings.most_output, question.most_output or settings.most_output),
            temperature=0,
            timeout=settings.timeout.total_seconds(),
            max_retries=0,
            framing_announcement="never",  # our blocks explain themselves, and every word of it costs
        ),
    )

    async def fits(context: RunContext[object], reply: R) -> R:
        why = question.check(reply)
        if why and not (question.lenient and context.last_attempt):
            raise ModelRetry(why)
        return reply

    agent.output_validator(fits)
    limits = UsageLimits(request_limit=1 + SENT_BACK)
    return (await agent.run(question.data, usage_limits=limits)).output


def _in_form(form: type[R], mode: OutputMode) -> NativeOutput[R] | ToolOutput[R] | PromptedOutput[R]:
    match mode:
        case OutputMode.NATIVE:
            return NativeOutput(form)
        case OutputMode.PROMPTED:
            return PromptedOutput(form)
        case _:
            return ToolOutput(form)


def _is_about_the_form(error: ModelHTTPError) -> bool:
    """Whether a server may have refused the form of the answer: it said no, for no other reason that is known."""
    return error.status_code in _WRONG_MODE and not isinstance(error, _OTHER_REASONS)
