"""A model of which every request is reserved before, settled after, and written down."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

import genai_prices
import httpx2
from genai_prices import Usage
from genai_prices.types import AbstractUsage
from pydantic import JsonValue
from pydantic_ai.exceptions import AgentRunError, ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from daper.agents.llm.charges import CHARACTERS_PER_TOKEN, OVERHEAD_TOKENS, Call, answered_in, said_in
from daper.agents.llm.envelope import NotAnAnswer, behind
from daper.clock import new_id, utc_now
from daper.core.digests import canonical, digest
from daper.core.errors import ModelOutputError, StoreError
from daper.core.messages import CycleRef
from daper.core.usage import CallSpent, Role, Spent
from daper.ports import Caps, Reservation, Spending, Transcript, Transcripts

log = logging.getLogger(__name__)

_MAYBE_CHARGED: Final = frozenset({502, 504})  # a gateway lost the answer; whether there was one, it does not know
# An answer of so many tokens has no more characters, and no more than that is sent back to say what is wrong with it.
_ROOM: Final = 4_000


@dataclass(frozen=True, kw_only=True)
class Account:
    """On whose account a model is asked, and where that is kept. `within`: the time for a whole answer."""

    cycle: CycleRef
    role: Role
    record_ids: tuple[str, ...]
    name: str
    most_output: int
    within: timedelta
    caps: Caps
    spending: Spending
    transcripts: Transcripts


class MeteredModel(WrapperModel):
    """Asks the wrapped model only for what its cycle may still spend. `spent`: what its answers took so far.

    Each call ends: within its time, with a bounded answer, and in the ledger. A call that is cut off, by a cancelled
    activity or silence, counts as the most that it can have taken: it may have been charged. One that was refused took
    nothing; of one that a gateway lost, nobody knows. Of a killed process the ledger finds out by itself.
    """

    def __init__(self, wrapped: Model, account: Account, *, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__(wrapped)
        self._account = account
        self._now = now
        self._longest: int | None = None
        self.spent = Spent()

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Reserve, ask, settle, write down.

        Raises SpendingCapReached before anything is sent; NotAnAnswer, or what the library raises of a model.
        """
        sent = _sent(messages, model_request_parameters)
        size = len(json.dumps(sent).encode())
        self._refuse_to_go_on(size)
        most = Spent(calls=1, input_tokens=size + OVERHEAD_TOKENS, output_tokens=self._account.most_output)
        call_id, began = new_id(), self._now()
        await self._reserve(call_id, most)
        try:
            answer = await self._answer(messages, model_settings, model_request_parameters)
        except BaseException as error:
            # Also of a call that is being cancelled.
            spent = await asyncio.shield(self._end_without_answer(call_id, most, error))
            await self._write(call_id, began, sent, answer="", error=f"{type(error).__name__}: {error}", spent=spent)
            raise
        call = Call(most=most, asked=said_in(messages), answered=answered_in(answer))
        spent = self._priced(call.taken(answer.usage), told=answer.usage)
        await self._settle(call_id, spent)
        self.spent = self.spent.plus(spent)
        await self._write(call_id, began, sent, answer=_plain([answer]), error="", spent=spent)
        if call.answered > self._most_text:
            raise NotAnAnswer(
                f"gave no answer that fits: it has {call.answered:,} characters, more than the "
                f"{self._account.most_output:,} tokens it may have do; see that the server obeys DAPER_LLM_MAX_OUTPUT",
                meaning=ModelOutputError,
            )
        return answer

    async def _answer(
        self, messages: list[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> ModelResponse:
        """What the model answers in time. Whatever else the library makes of what came, it is no bug of ours."""
        within = self._account.within
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await super().request(messages, settings, parameters)
        except TimeoutError:
            raise NotAnAnswer(
                f"did not answer in time (no whole answer came within {within}); DAPER_LLM_TIMEOUT says how long it "
                "may take"
            ) from None
        except (AgentRunError, NotAnAnswer):
            raise
        except (OSError, httpx2.HTTPError) as error:
            raise NotAnAnswer(f"cannot be reached ({error or type(error).__name__})") from None
        except Exception as error:  # noqa: BLE001 - whatever a library makes of what a stranger sent is told as such
            raise NotAnAnswer(
                f"gave no answer that fits: the library cannot read it ({type(error).__name__}: {error})",
                meaning=ModelOutputError,
            ) from None

    @property
    def _most_text(self) -> int:
        return _ROOM + CHARACTERS_PER_TOKEN * self._account.most_output

    def _refuse_to_go_on(self, size: int) -> None:
        """An answer is not sent back with more than it can have been, and what is wrong with it not at any length."""
        if self._longest is None:
            self._longest = size + 2 * self._most_text
        if size > self._longest:
            raise NotAnAnswer(
                f"gave no answer that fits: it is wrong in too many places to be sent back ({size:,} bytes)",
                meaning=ModelOutputError,
                charged=False,
            )

    async def _end_without_answer(self, call_id: str, most: Spent, error: BaseException) -> Spent:
        """What a call took that brought no answer, once that is settled."""
        found = behind(error)
        refused = isinstance(error, ModelHTTPError) and error.status_code not in _MAYBE_CHARGED
        if refused or (found is not None and not found.charged):
            try:
                await self._account.spending.release(call_id)
            except StoreError as trouble:
                log.warning("a refused call stays set aside", extra={"call_id": call_id, "reason": str(trouble)})
            return Spent()
        spent = self._priced(most.model_copy(update={"uncertain": 1}))
        await self._settle(call_id, spent)
        return spent

    async def _settle(self, call_id: str, spent: Spent) -> None:
        """A ledger that cannot take it is no reason to ask, and to pay, again: the call stays as it was reserved."""
        try:
            await self._account.spending.settle(call_id, spent)
        except StoreError as error:
            log.warning("a call stays set aside", extra={"call_id": call_id, "reason": str(error)})

    async def _reserve(self, call_id: str, most: Spent) -> None:
        account = self._account
        reservation = Reservation(
            call_id=call_id,
            cycle_id=account.cycle.cycle_id,
            call=CallSpent(role=account.role, record_ids=account.record_ids, spent=most),
            model=account.name,
            cost=self._price(Usage(input_tokens=most.input_tokens, output_tokens=most.output_tokens)),
        )
        await account.spending.reserve(reservation, account.caps)

    async def _write(
        self, call_id: str, began: datetime, sent: JsonValue, *, answer: JsonValue, error: str, spent: Spent
    ) -> None:
        account = self._account
        await account.transcripts.write(
            Transcript(
                call_id=call_id,
                repair_id=account.cycle.repair_id,
                cycle_id=account.cycle.cycle_id,
                role=account.role,
                model=account.name,
                record_ids=account.record_ids,
                began=began,
                took=max(self._now() - began, timedelta(0)),  # a clock may jump
                prompt_digest=digest(canonical(sent)),
                sent=sent,
                answer=answer,
                error=error,
                spent=spent,
            )
        )

    def _priced(self, spent: Spent, *, told: AbstractUsage | None = None) -> Spent:
        """With the price of what it says it took; where that cannot be, of the plain tokens."""
        cost = None if told is None or spent.uncertain else self._price(told)
        if cost is None or cost < 0:
            cost = self._price(Usage(input_tokens=spent.input_tokens, output_tokens=spent.output_tokens))
        return spent.model_copy(update={"cost": cost or Decimal(0), "unpriced": int(cost is None)})

    def _price(self, usage: AbstractUsage) -> Decimal | None:
        """What the tokens cost in US dollars; None where the price list does not have the model at that address."""
        model, where = self.wrapped.model_name, self.wrapped.base_url
        try:
            if where:
                return genai_prices.calc_price(usage, model, provider_api_url=where).total_price
            return genai_prices.calc_price(usage, model, provider_id=self.wrapped.system).total_price
        except (LookupError, ValueError):
            return None


def _sent(messages: list[ModelMessage], parameters: ModelRequestParameters) -> dict[str, JsonValue]:
    """All that goes out with a request, as JSON: messages, instructions, and the form of the answer."""
    tools = [*parameters.function_tools, *parameters.output_tools]
    form: list[JsonValue] = [
        {"name": tool.name, "description": tool.description, "schema": cast(JsonValue, tool.parameters_json_schema)}
        for tool in tools
    ]
    if parameters.output_object is not None:
        form.append(cast(JsonValue, parameters.output_object.json_schema))
    return {"messages": _plain(messages), "form": form}


def _plain(messages: list[Any]) -> JsonValue:
    return cast(JsonValue, json.loads(ModelMessagesTypeAdapter.dump_json(messages)))
