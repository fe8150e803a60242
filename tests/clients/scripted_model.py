"""A language model that only follows a script, for chat clients of others: on loopback, in the words of four makers.

A script reads the conversation that the client sent, with what the tools answered, and says what comes next: a call of
one of daper's tools, or some words. Every request is kept.
"""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.clients import dialects
from tests.clients.dialects import Call, Conversation, Result
from tests.clients.loopback import Response, answering

Script = Callable[[Conversation], Call | str]

# What is wanted where no tools are listed: a name for the conversation.
_TITLE: Final = "Repairs"
_NOTHING_HERE: Final = Response(404, "application/json", b'{"error": {"message": "there is nothing here"}}')
_FAILED: Final = Response(500, "application/json", b'{"error": {"message": "the script failed"}}')


# Any: a request as the client wrote it.
@dataclass(frozen=True)
class Request:
    """A request as it came, and what was answered."""

    path: str
    body: dict[str, Any]
    conversation: Conversation
    said: Call | str

    @property
    def tools(self) -> frozenset[str]:
        """The names of daper's tools that were listed, as daper has them."""
        return frozenset(self.conversation.tools)


@dataclass
class ScriptedModel:
    """The model. `script` may be changed between turns."""

    script: Script
    requests: list[Request] = field(default_factory=list[Request])
    # What was asked for that is no turn of a conversation, as "GET /v1/models".
    others: list[str] = field(default_factory=list[str])
    failures: list[BaseException] = field(default_factory=list[BaseException])
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def turns(self) -> list[Request]:
        """The requests in which the tools were listed: no titles and summaries."""
        with self._lock:
            return [request for request in self.requests if request.tools]

    @property
    def results(self) -> list[Result]:
        """What the tools answered, as the model was told in its last turn."""
        return self.turns[-1].conversation.results

    @property
    def calls(self) -> list[Call]:
        """What the model called, in order."""
        return [request.said for request in self.turns if isinstance(request.said, Call)]

    def answer(self, method: str, target: str, raw: bytes) -> Response:
        """Answer a request, by the script if it is a turn."""
        path = target.partition("?")[0]
        dialect = dialects.spoken_at(path) if method == "POST" else None
        if dialect is None:
            self.others.append(f"{method} {target}")
            return _NOTHING_HERE
        try:
            body: dict[str, Any] = json.loads(raw)
            conversation = dialect.heard(body)
            said = self.script(conversation) if conversation.tools else _TITLE
            answer = dialect.answer(said, conversation, streaming=dialect.streams(path, body))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has to hear of it
            self.failures.append(error)
            return _FAILED
        with self._lock:
            self.requests.append(Request(target, body, conversation, said))
        return answer


@contextmanager
def speaking(script: Script) -> Generator[ScriptedModel]:
    """The model on a free port of loopback. Fails in the end if the script did."""
    model = ScriptedModel(script)
    with answering(model.answer) as model.url:
        yield model
    if model.failures:
        raise AssertionError("the script failed") from model.failures[0]
