"""Whatever a server sends back: a call of a model ends, in time and in bounds, in the ledger, and in words of ours."""

import asyncio
import json
import threading
import tracemalloc
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

import pytest

from daper.agents.llm import http_client
from daper.agents.llm.envelope import Limits
from daper.core.errors import DaperError, ModelError, ModelOutputError, ModelUnavailable
from tests.cases import cases
from tests.llm import answers
from tests.llm.asking import Asking, asking, fine
from tests.llm.hostile import (
    PAGE,
    answered,
    body_of,
    bomb,
    bomb_bytes,
    drip,
    drip_of_headers,
    endless_stream,
    flood,
    many_choices,
    nested,
    nested_reply,
    packed,
    sent_on,
    with_text,
    with_value,
)
from tests.llm.shops import KEY
from tests.llm.wire import Answer, Asked, Behaviour, replied

SOON = timedelta(milliseconds=300)
MANY = Limits.of(4096).content

# Behaviour, our error, what is in its words, and what became of the call in the ledger.
Row = tuple[Behaviour, type[DaperError], str, str]

NO_ANSWERS: dict[str, Row] = {
    "no choices": (with_value(fine, "choices", []), ModelOutputError, "no choice in it", "settled"),
    "choices null": (with_value(fine, "choices", None), ModelOutputError, "no choice in it", "settled"),
    "choices no list": (with_value(fine, "choices", "x"), ModelOutputError, "no choice in it", "settled"),
    "choices of null": (with_value(fine, "choices", [None]), ModelOutputError, "no choice in it", "settled"),
    "choices of nothing": (
        with_value(fine, "choices", [dict[str, str]()]),
        ModelOutputError,
        "no answer that fits",
        "settled",
    ),
    "an empty object": (answered("{}"), ModelOutputError, "no answer that fits", "settled"),
    "a model of null": (with_value(fine, "model", None), ModelOutputError, "no answer that fits", "settled"),
    "a time that is none": (with_value(fine, "created", 10**17), ModelOutputError, "no answer that fits", "settled"),
    "an error in an answer": (
        answered('{"error": {"message": "no GPU left"}}'),
        ModelUnavailable,
        "is broken (HTTP 500: no GPU left)",
        "released",
    ),
    "a refused key in an answer": (
        answered('{"error": {"message": "who are you", "code": 401}, "choices": []}'),
        ModelError,
        "refused the key",
        "released",
    ),
    "an error that is a word": (answered('{"error": "overloaded"}'), ModelUnavailable, "overloaded", "released"),
    "a page": (answered(PAGE), ModelUnavailable, "answered with a page", "released"),
    "a page of its own type": (
        answered(PAGE, headers={"Content-Type": "text/html"}),
        ModelUnavailable,
        "answered with a page",
        "released",
    ),
    "a page that refuses": (answered(PAGE, status=403), ModelError, "refused the key (HTTP 403", "released"),
    "nothing": (answered(""), ModelUnavailable, "answered with nothing", "settled"),
    "no content": (answered("", status=204), ModelUnavailable, "answered with nothing", "settled"),
    "no JSON": (answered("OK"), ModelUnavailable, "what is no JSON", "settled"),
    "half of it": (answered('{"choices": [{"mess'), ModelUnavailable, "what is no JSON", "settled"),
    "a list": (answered("[]"), ModelUnavailable, "a JSON list", "settled"),
    "a word": (answered('"ok"'), ModelUnavailable, "a JSON str", "settled"),
    "no text": (lambda _: Answer(raw=b'{"a": "\xff\xfe"}'), ModelUnavailable, "what is no text", "settled"),
    "no number": (with_text(fine, '{"choices": [{"index": NaN}]}'), ModelOutputError, "number that is none", "settled"),
    "no end of a number": (
        with_text(fine, '{"choices": [{"index": 1e999}]}'),
        ModelOutputError,
        "number that is none",
        "settled",
    ),
    "5,000 digits": (
        with_text(fine, '{"choices": [{"index": ' + "9" * 5000 + "}]}"),
        ModelOutputError,
        "number that is none",
        "settled",
    ),
    "half a character": (
        lambda asked: Answer(body=replied(asked, "x").body.replace('"x"', '"\\ud800"')),
        ModelOutputError,
        "half a character",
        "settled",
    ),
    "nested 100 deep": (nested(100), ModelOutputError, "nested more than 64 deep", "settled"),
    "nested 10,000 deep": (nested(10_000), ModelOutputError, "nested too deep", "settled"),
    "nested 100,000 deep": (nested(100_000), ModelOutputError, "more than any that was asked for", "settled"),
    "a refusal nested 100,000 deep": (
        lambda asked: Answer(status=500, body=nested(100_000)(asked).body),
        ModelUnavailable,
        "is broken (HTTP 500",
        "released",
    ),
    "a reply nested 100,000 deep": (nested_reply(100_000), ModelOutputError, "no answer that fits", "settled"),
    "100,000 choices": (many_choices(100_000), ModelOutputError, "more than any that was asked for", "settled"),
    "1,000 choices": (many_choices(1000), ModelOutputError, "more than 200 things beside each other", "settled"),
    "40,000 choices in lists": (
        answered(json.dumps({"choices": [[[{}] * 4] * 20] * 50})),
        ModelOutputError,
        "more than 2,000 in all",
        "settled",
    ),
    "64 MB": (flood(64), ModelUnavailable, f"sent more than {MANY:,} bytes", "settled"),
    "64 MB from a refusal": (
        lambda asked: Answer(status=500, pieces=flood(64)(asked).pieces),
        ModelUnavailable,
        "is broken (HTTP 500",
        "released",
    ),
    "64 MB unpacked": (bomb(64), ModelUnavailable, f"sent more than {MANY:,} bytes", "settled"),
    "64 MB unpacked otherwise": (
        bomb(64, coding="deflate"),
        ModelUnavailable,
        f"sent more than {MANY:,} bytes",
        "settled",
    ),
    "packed wrongly": (
        answered("{}", headers={"Content-Encoding": "gzip"}),
        ModelUnavailable,
        "cannot be unpacked",
        "settled",
    ),
    "a stream": (endless_stream(0), ModelUnavailable, f"sent more than {MANY:,} bytes", "settled"),
    "an end too early": (answers.cut_off(fine), ModelUnavailable, "cannot be reached", "settled"),
    "sent on": (
        sent_on("https://u:planted@elsewhere.example/v1?key=planted"),
        ModelError,
        "sends on to 'https://***@elsewhere.example/v1?key=***' (HTTP 307), and a key is not sent after it; "
        "set LLM_BASE_URL to where the model is",
        "released",
    ),
    "sent on to nowhere": (sent_on("http://[", 302), ModelError, "sends on to 'http://['", "released"),
}
QUICK = [
    "no choices",
    "an error in an answer",
    "a refused key in an answer",
    "a page",
    "nothing",
    "half a character",
    "5,000 digits",
    "nested 10,000 deep",
    "nested 100,000 deep",
    "a reply nested 100,000 deep",
    "1,000 choices",
    "64 MB",
    "64 MB unpacked",
    "a stream",
    "sent on",
]


@pytest.mark.parametrize(("behaviour", "kind", "words", "state"), cases(NO_ANSWERS, quick=QUICK))
async def test_a7_what_is_no_answer_is_an_outage_or_does_not_fit_and_its_call_has_an_end(
    tmp_path: Path, behaviour: Behaviour, kind: type[DaperError], words: str, state: str
) -> None:
    async with asking(tmp_path, behaviour) as model:
        with pytest.raises(DaperError) as told:
            await model.ping()

        assert type(told.value) is kind
        assert words in str(told.value)
        assert str(told.value).startswith("fake-1")
        assert "planted" not in str(told.value)
        assert KEY not in str(told.value)
        assert set(model.states()) == {state}


SLOW = {
    "a byte at a time": drip(0.02),
    "a header at a time": drip_of_headers(0.02),
    "an event at a time": endless_stream(0.02),
    "nothing at all": answers.hanging(fine),
}


@pytest.mark.parametrize("behaviour", SLOW.values(), ids=SLOW)
async def test_a7_an_answer_that_does_not_end_is_over_in_its_time(tmp_path: Path, behaviour: Behaviour) -> None:
    async with asking(tmp_path, behaviour, within=SOON) as model, asyncio.timeout(60):
        with pytest.raises(ModelUnavailable, match=r"fake-1 did not answer in time .*DAPER_LLM_TIMEOUT"):
            await model.ping()
        await asyncio.to_thread(model.fake.until, lambda fake: fake.seen[0].ended is not None)

    assert model.fake.seen[0].went_away
    assert model.states() == ["settled"]


@pytest.mark.parametrize("behaviour", [flood(64), endless_stream(0)], ids=["a long text", "a stream"])
async def test_a7_a_flood_is_cut_off_where_no_answer_is_that_long(tmp_path: Path, behaviour: Behaviour) -> None:
    async with asking(tmp_path, behaviour) as model:
        with pytest.raises(ModelUnavailable):
            await model.ping()
        await asyncio.to_thread(model.fake.until, lambda fake: fake.seen[0].ended is not None)

    assert model.fake.seen[0].went_away
    assert model.fake.poured < 16 * 2**20  # what the buffers of two sockets hold besides


@pytest.mark.parametrize(
    "megabytes", [64, pytest.param(400, marks=pytest.mark.long)], ids=lambda megabytes: f"{megabytes} MB"
)
async def test_a7_what_is_small_until_it_is_unpacked_takes_no_memory(tmp_path: Path, megabytes: int) -> None:
    behaviour = bomb(megabytes)
    async with asking(tmp_path, lambda asked: fine(asked) if asked.number == 1 else behaviour(asked)) as model:
        await model.ping()  # what is loaded once
        bomb_bytes(megabytes, "gzip")  # packing it takes some
        tracemalloc.start()
        try:
            with pytest.raises(ModelUnavailable):
                await model.ping()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert most < 16 * 2**20


async def test_a7_what_came_is_looked_over_beside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noted(look: Callable[..., object]) -> Callable[..., object]:
        def looking(*given: object) -> object:
            threads.append(threading.current_thread())
            return look(*given)

        return looking

    monkeypatch.setattr(http_client, "opened", noted(http_client.opened))
    monkeypatch.setattr(http_client, "readable", noted(http_client.readable))
    async with asking(tmp_path, answers.in_turn(fine, answers.server_error)) as model:
        await model.ping()
        with pytest.raises(ModelUnavailable):
            await model.ping()

    assert len(threads) == 2
    assert threading.main_thread() not in threads


async def test_a7_no_key_goes_where_a_server_sends_on_to(tmp_path: Path) -> None:
    async with asking(tmp_path / "other", fine) as other:
        for status in (301, 302, 303, 307, 308):
            async with asking(tmp_path / str(status), sent_on(f"{other.fake.url}/chat/completions", status)) as model:
                with pytest.raises(ModelError, match="set LLM_BASE_URL to where the model is"):
                    await model.ping()

    assert (other.fake.count, other.fake.listed) == (0, 0)


NOW = "Sun, 29 Nov 2026 10:00:00 GMT"
WAITS = {
    "seconds": ({"Retry-After": "7"}, timedelta(seconds=7)),
    "a date, by a clock that is hours off": (
        {"Date": NOW, "Retry-After": "Sun, 29 Nov 2026 10:00:30 GMT"},
        timedelta(seconds=30),
    ),
    "a date that is over": ({"Date": NOW, "Retry-After": "Sun, 29 Nov 2026 09:00:30 GMT"}, timedelta(0)),
    "below nothing": ({"Retry-After": "-5"}, None),
    "no number": ({"Retry-After": "nan"}, None),
    "no date": ({"Date": NOW, "Retry-After": "Sun, 99 Nov 2026 10:00:30 GMT"}, None),
    "nothing": ({"Retry-After": ""}, None),
}


@pytest.mark.parametrize(("headers", "wait"), WAITS.values(), ids=WAITS)
async def test_a7_when_to_come_again_is_read_by_the_clock_of_whoever_says_it(
    tmp_path: Path, headers: Mapping[str, str], wait: timedelta | None
) -> None:
    async with asking(tmp_path, answered('{"error": {"message": "busy"}}', status=429, headers=headers)) as model:
        with pytest.raises(ModelUnavailable) as told:
            await model.ping()

    assert told.value.retry_after == wait


async def test_a7_a_packed_answer_is_an_answer(tmp_path: Path) -> None:
    async with asking(tmp_path, packed(fine)) as model:
        assert (await model.ping()).uncertain == 0


Place = tuple[str | int, ...]
ODD: Final[tuple[object, ...]] = (None, [], {}, "", "x", 0, -1, 10**27, 1.5, True, {"a": None}, "\u202e", "x" * 5000)


async def _kind(model: Asking) -> str:
    """What a call came to: an answer, or the kind of our error. A bug goes through."""
    try:
        await model.ping()
    except DaperError as error:
        return type(error).__name__
    return "answered"


# Any: JSON of any shape.
def _places(value: Any, path: Place = ()) -> list[Place]:
    named: dict[str | int, Any] = {}
    if isinstance(value, dict):
        named = cast("dict[str | int, Any]", value)
    elif isinstance(value, list):
        named = dict(enumerate(cast("list[Any]", value)))
    return [path, *(place for name, each in named.items() for place in _places(each, (*path, name)))]


def _changed(body: Any, path: Place, value: object) -> object:
    if not path:
        return value
    at = body
    for name in path[:-1]:
        at = at[name]
    at[path[-1]] = value
    return body


@pytest.mark.long
async def test_a7_a_body_with_anything_anywhere_never_becomes_a_bug_of_ours(tmp_path: Path) -> None:
    plain = json.loads(fine(Asked(body={"model": "fake-1", "response_format": {"type": "json_schema"}})).body)
    wanted = [(path, value) for path in _places(plain) for value in ODD]
    now = list[tuple[Place, object]]()

    def behaviour(asked: Asked) -> Answer:
        return body_of(fine, lambda body: _changed(body, *now[-1]))(asked)

    ended = list[str]()
    async with asking(tmp_path, behaviour) as model:
        for place in wanted:
            now.append(place)
            ended.append(await _kind(model))
        assert set(model.states()) <= {"settled", "released"}
        usage = await model.usage()

    assert set(ended) <= {"answered", "ModelUnavailable", "ModelOutputError", "ModelError"}
    assert set(ended) >= {"answered", "ModelOutputError"}
    assert 0 < usage.total.tokens < 2**63
