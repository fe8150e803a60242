"""How a model can answer, or fail to: behaviours for the fake server, and what puts them together."""

from collections.abc import Mapping
from dataclasses import replace

from tests.llm.reading import read, role_of
from tests.llm.thinking import Brain, text_of
from tests.llm.wire import Answer, Asked, Behaviour, Json, refused, replied

ESSAY = (
    "Certainly! Let me think about these orders step by step. First of all, an order is a promise between two people, "
    "and promises are delicate things. On balance I would say that some of them look fine and some of them do not."
)


def thinking(brain: Brain) -> Behaviour:
    """The reply of a brain, where the request wants it."""
    return lambda asked: replied(asked, text_of(brain(read(asked))))


def always(reply: Json | str) -> Behaviour:
    """One and the same reply."""
    return lambda asked: replied(asked, reply)


def every(nth: int, bad: Behaviour, otherwise: Behaviour) -> Behaviour:
    """Each n-th request of the server is answered badly."""
    return lambda asked: (bad if asked.number % nth == 0 else otherwise)(asked)


def by_attempt(*behaviours: Behaviour) -> Behaviour:
    """The first attempt at a prompt gets the first one, and so on; the last one stays."""
    return lambda asked: behaviours[min(asked.attempt, len(behaviours)) - 1](asked)


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first request of the server gets the first one, and so on; the last one stays."""
    return lambda asked: behaviours[min(asked.number, len(behaviours)) - 1](asked)


def by_role(behaviours: Mapping[str, Behaviour], *, otherwise: Behaviour) -> Behaviour:
    """Each role has its own."""
    return lambda asked: behaviours.get(role_of(asked.system), otherwise)(asked)


def invalid_json(asked: Asked) -> Answer:
    """Something like JSON."""
    return replied(asked, '{"suspects": [{"record_id": ORD-001, \'confidence_score\': 0.9,}], "actions": [')


def wrong_types(asked: Asked) -> Answer:
    """The right names, and a number for each of them; the names come from the schema."""
    return replied(asked, dict.fromkeys(asked.schema.get("properties", {"suspects": {}}), 7))


def truncated(brain: Brain) -> Behaviour:
    """Half of a good reply: it was too long."""

    def answer(asked: Asked) -> Answer:
        whole = text_of(brain(read(asked)))
        return replied(asked, whole[: max(1, len(whole) // 2)], finish_reason="length")

    return answer


def essay(asked: Asked) -> Answer:
    """Prose, and no call of a tool."""
    return replied(asked, ESSAY, in_content=True)


def empty(asked: Asked) -> Answer:
    """Nothing at all."""
    return replied(asked, "", in_content=True)


def without_usage(brain: Brain) -> Behaviour:
    """A good reply that does not say what it took."""
    return lambda asked: replied(asked, text_of(brain(read(asked))), usage=False)


def unauthorized(asked: Asked) -> Answer:
    """A key that is wrong."""
    return refused(401, "Incorrect API key provided: sk-wrong. Find yours on the site.", code="invalid_api_key")


def model_not_found(asked: Asked) -> Answer:
    """A model that is not there."""
    message = f"The model `{asked.model}` does not exist or you do not have access to it."
    return refused(404, message, code="model_not_found")


def context_too_long(asked: Asked) -> Answer:
    """More than the model can read."""
    message = (
        f"This model's maximum context length is 8192 tokens. However, your messages resulted in {asked.tokens} "
        "tokens. Please reduce the length of the messages."
    )
    return refused(400, message, code="context_length_exceeded", param="messages")


def no_response_format(asked: Asked) -> Answer:
    """A server that does not know the parameter."""
    return refused(400, "response_format is not supported by this model", param="response_format")


def without_response_format(otherwise: Behaviour) -> Behaviour:
    """Refuses only those requests that have the parameter."""
    return lambda asked: no_response_format(asked) if asked.body.get("response_format") else otherwise(asked)


def without_tools(otherwise: Behaviour) -> Behaviour:
    """Refuses only those requests that offer tools."""
    message = "tools is not supported by this model"
    return lambda asked: refused(400, message, param="tools") if asked.body.get("tools") else otherwise(asked)


def rate_limited(*, retry_after: str | None = "1") -> Behaviour:
    """Too many requests; `retry_after` in seconds, or a date, as the header has it."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    message = "Rate limit reached for requests. Limit: 3 / min. Please try again later."
    return lambda asked: refused(429, message, kind="requests", code="rate_limit_exceeded", headers=headers)


def quota_exceeded(asked: Asked) -> Answer:
    """No money left; waiting does not help."""
    message = "You exceeded your current quota, please check your plan and billing details."
    return refused(429, message, kind="insufficient_quota", code="insufficient_quota")


def server_error(asked: Asked) -> Answer:
    """Something broke over there."""
    return refused(500, "The server had an error while processing your request.", kind="server_error")


def hanging(behaviour: Behaviour) -> Behaviour:
    """Answers only when the server is told to `release`."""
    return lambda asked: replace(behaviour(asked), hang=True)


def slow(seconds: float, behaviour: Behaviour) -> Behaviour:
    """Answers after a while."""
    return lambda asked: replace(behaviour(asked), delay=seconds)


def cut_off(behaviour: Behaviour, *, after: int = 20) -> Behaviour:
    """The connection breaks in the middle of the answer."""
    return lambda asked: replace(behaviour(asked), cut_after=after)
