"""Servers that are broken, or wish us ill: behaviours that answer, and not as a model does."""

import functools
import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count, repeat
from typing import Any

from tests.llm.wire import Answer, Asked, Behaviour, Json, replied

PAGE = "<!DOCTYPE html><html><title>Sign in</title><body>Please sign in to the guest network.</body></html>"


def answered(body: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """A body as it is, with that status and those headers."""
    return lambda _: Answer(status=status, body=body, headers=headers or {})


def body_of(behaviour: Behaviour, change: Callable[[Json], object]) -> Behaviour:
    """The body that a behaviour answers with, after a change of it; what the change returns is sent in its place."""

    def answer(asked: Asked) -> Answer:
        right = behaviour(asked)
        body = json.loads(right.body)
        changed = change(body)
        return replace(right, body=json.dumps(body if changed is None else changed))

    return answer


def with_value(behaviour: Behaviour, name: str, value: object) -> Behaviour:
    """One name of the body means something else."""
    return body_of(behaviour, lambda body: body.update({name: value}))


def with_usage(behaviour: Behaviour, **figures: object) -> Behaviour:
    """Some figures of what it took are others."""
    return body_of(behaviour, lambda body: body["usage"].update(figures))


def with_text(behaviour: Behaviour, body: str) -> Behaviour:
    """Another body, which may be no JSON."""
    return lambda asked: replace(behaviour(asked), body=body)


def nested(depth: int) -> Behaviour:
    """A body in which lists lie in lists."""
    return answered('{"choices": ' + "[" * depth + "]" * depth + "}")


def many_choices(number: int) -> Behaviour:
    """A body of many small objects."""
    return answered('{"choices": [' + ",".join(["{}"] * number) + "]}")


def nested_reply(depth: int) -> Behaviour:
    """A right body, whose text is JSON in which lists lie in lists."""
    return lambda asked: replied(asked, '{"ok": ' + "[" * depth + "]" * depth + "}", in_content=True)


def poured(pieces: Callable[[], Iterable[bytes]], *, pause: float = 0.0, in_head: bool = False) -> Behaviour:
    """Piece after piece."""
    return lambda _: Answer(pieces=pieces, pause=pause, in_head=in_head)


def flood(megabytes: int) -> Behaviour:
    """A long text, as fast as it is taken."""
    return poured(lambda: (b'{"choices": [{"message": {"content": "', *repeat(b"x" * 2**20, megabytes), b'"}}]}'))


def _events() -> Iterator[bytes]:
    event: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": "and on "}}]}
    return repeat(f"data: {json.dumps(event)}\n\n".encode())


def endless_stream(pause: float) -> Behaviour:
    """A stream of events without end."""
    return poured(_events, pause=pause)


def drip(pause: float) -> Behaviour:
    """A byte at a time."""
    return poured(lambda: repeat(b" "), pause=pause)


def drip_of_headers(pause: float) -> Behaviour:
    """A header at a time."""
    return poured(lambda: (f"X-More-{number}: yes\r\n".encode() for number in count()), pause=pause, in_head=True)


def bomb(megabytes: int, *, coding: str = "gzip") -> Behaviour:
    """Few bytes that are many when they are unpacked."""
    return lambda _: Answer(raw=bomb_bytes(megabytes, coding), headers={"Content-Encoding": coding})


@functools.cache
def bomb_bytes(megabytes: int, coding: str) -> bytes:
    """Packed when it is first thrown: who only looks what tests there are does not wait for it."""
    plain = b'{"choices": [{"message": {"content": "' + b"x" * (megabytes * 2**20) + b'"}}]}'
    return gzip.compress(plain, 9) if coding == "gzip" else zlib.compress(plain, 9)


def packed(behaviour: Behaviour) -> Behaviour:
    """A right answer, packed as servers do."""

    def answer(asked: Asked) -> Answer:
        right = behaviour(asked)
        return replace(right, raw=gzip.compress(right.body.encode()), headers={"Content-Encoding": "gzip"})

    return answer


def sent_on(where: str, status: int = 307) -> Behaviour:
    """The model is elsewhere, it says."""
    return lambda _: Answer(status=status, headers={"Location": where})
