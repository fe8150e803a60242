"""Sends to the API what its document says of it, and what it does not."""

import time
from collections.abc import Collection
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from tests.console.api import BASE

PATIENCE_S: Final = 120.0
# How long a span may be, no schema can say.
SPANS: Final = frozenset({"approval_timeout", "interval", "catch_up", "every", "offset"})


def attack(url: str, names: Collection[str], *, examples: int) -> list[str]:
    """Send to operations what fits the document and what does not; what failed. Any: as schemathesis has it."""
    schema: Any = schemathesis.openapi.from_url(f"{url}{BASE}/openapi.json")
    left, failed = set(names), list[str]()
    for found in schema.get_all_operations():
        operation = found.ok()
        name: str = operation.definition.raw["operationId"]
        if name not in left:
            continue
        left.remove(name)
        for mode in GenerationMode:
            try:
                _send(operation, mode, examples=examples)
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, name  # where nothing can be said, nothing is wrong
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - all of them are told, not the first alone
                failed.append(f"{name}, {mode}: {error}")
    assert not left
    return failed


# Any: as schemathesis has it.
def _answer(case: Any) -> Any:
    """What comes of a call; a worker that has too much to do to answer is asked again, as the answer says."""
    asked_until = time.monotonic() + PATIENCE_S
    while (response := case.call(timeout=30)).status_code == 503 and time.monotonic() < asked_until:
        time.sleep(0.2)
    return response


def _send(operation: Any, mode: GenerationMode, *, examples: int) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    def sends(case: Any) -> None:
        response = _answer(case)
        case.validate_response(response, excluded_checks=[checks.positive_data_acceptance])
        if mode is GenerationMode.POSITIVE and response.status_code == 422:
            # What no schema can say may be refused, and no more.
            misfits = {each["where"].rpartition(".")[2] for each in response.json()["misfits"]}
            assert misfits <= SPANS, response.text

    sends()
