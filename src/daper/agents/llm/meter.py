"""A model of which every request is reserved before, settled after, and written down."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import genai_prices
from genai_prices import Usage
from genai_prices.types import AbstractUsage
from pydantic import JsonValue
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from daper.clock import new_id, utc_now
from daper.core.digests import canonical, digest
from daper.core.messages import CycleRef
from daper.core.usage import CallSpent, Role, Spent
from daper.ports import Caps, Reservation, Spending, Transcript, Transcripts

# No tokenizer makes more than one token of a byte. This much more for what a provider puts around messages and schema.
OVERHEAD_TOKENS = 1000
_MAYBE_CHARGED = frozenset({502, 504})  # a gateway lost the answer; whether there was one, it does not know


@dataclass(frozen=True, kw_only=True)
class Account:
    """On whose account a model is asked, and where that is kept."""

    cycle: CycleRef
    role: Role
    record_ids: tuple[str, ...]
    name: str
    most_output: int
    caps: Caps
    spending: Spending
    transcripts: Transcripts


class MeteredModel(WrapperModel):
    """Asks the wrapped model only for what its cycle may still spend. `spent`: what its answers took so far.

    A call that is cut off, by a crash, a cancelled activity or silence, stays reserved: it may have been charged. One
    that was refused with an error took nothing; of one that a gateway lost, nobody knows.
    """

    def __init__(self, wrapped: Model, account: Account, *, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__(wrapped)
        self._account = account
        self._now = now
        self.spent = Spent()

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Reserve, ask, settle, write down. Raises SpendingCapReached before anything is sent."""
        sent = _sent(messages, model_request_parameters)
        most = Spent(
            calls=1,
            input_tokens=len(json.dumps(sent).encode()) + OVERHEAD_TOKENS,
            output_tokens=self._account.most_output,
        )
        call_id, began = new_id(), self._now()
        await self._reserve(call_id, most)
        try:
            answer = await super().request(messages, model_settings, model_request_parameters)
        except BaseException as error:
            if isinstance(error, ModelHTTPError) and error.status_code not in _MAYBE_CHARGED:
                await self._account.spending.release(call_id)
            await self._write(call_id, began, sent, answer="", error=f"{type(error).__name__}: {error}", spent=Spent())
            raise
        spent = self._taken(answer, most)
        await self._account.spending.settle(call_id, spent)
        self.spent = self.spent.plus(spent)
        await self._write(call_id, began, sent, answer=_plain([answer]), error="", spent=spent)
        return answer

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
                took=self._now() - began,
                prompt_digest=digest(canonical(sent)),
                sent=sent,
                answer=answer,
                error=error,
                spent=spent,
            )
        )

    def _taken(self, answer: ModelResponse, most: Spent) -> Spent:
        """What an answer says it took; the most that it can have taken, if it does not say."""
        usage = answer.usage
        if not usage.input_tokens and not usage.output_tokens:
            cost = self._price(Usage(input_tokens=most.input_tokens, output_tokens=most.output_tokens))
            return most.model_copy(update={"uncertain": 1, "cost": cost or Decimal(0), "unpriced": int(cost is None)})
        cost = self._price(usage)
        return Spent(
            calls=1,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost=cost or Decimal(0),
            unpriced=int(cost is None),
        )

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
