"""The HTTP client of a model: bounded in bytes, goes nowhere but where it is sent, and hands on nothing but answers."""

import asyncio
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2
from pydantic_ai.models import get_user_agent

from daper.agents.llm.envelope import Limits, NotAnAnswer, opened, readable
from daper.core.errors import ModelError
from daper.core.text import visible
from daper.core.urls import masked_url

CONNECT_S: Final = 5.0
# As the libraries of the providers have it.
_CONNECTIONS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
_MOST_OF_REFUSAL: Final = 64 * 1024
_UNPACKED: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class ModelHttpClient(httpx2.AsyncClient):
    """Sends one request and reads its answer whole, up to the limits, and only what is an answer.

    `within`: how long a server may be silent. How long all of it may take is for whoever calls it: a server that sends
    byte after byte is waited for without end. `send` raises NotAnAnswer, beside what it raises anyway. Making a client
    raises OSError, ValueError, ImportError or InvalidURL where certificates or proxies of the environment are wrong.
    """

    def __init__(self, limits: Limits, *, within: timedelta) -> None:
        super().__init__(
            limits=_CONNECTIONS,
            timeout=httpx2.Timeout(within.total_seconds(), connect=CONNECT_S),
            headers={"User-Agent": get_user_agent()},
            follow_redirects=False,
        )
        self._most = limits

    async def send(
        self,
        request: httpx2.Request,
        *,
        stream: bool = False,
        auth: Any = httpx2.USE_CLIENT_DEFAULT,  # Any: what stands for "as the client has it" has a private type
        follow_redirects: Any = httpx2.USE_CLIENT_DEFAULT,
    ) -> httpx2.Response:
        """The answer, read; `stream` and `follow_redirects` change nothing."""
        _connect_soon(request)
        try:
            answer = await super().send(request, stream=True, auth=auth, follow_redirects=False)
        except (httpx2.InvalidURL, ValueError, OverflowError, ExceptionGroup) as error:  # no network knows that name
            reason = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
            raise NotAnAnswer(f"cannot be reached ({reason}); check LLM_BASE_URL", charged=False) from None
        try:
            if answer.is_redirect:
                raise NotAnAnswer(_elsewhere(answer), meaning=ModelError, charged=False)
            content = await self._read(answer)
        finally:
            await answer.aclose()
        status = answer.status_code
        if answer.is_success:
            envelope = await asyncio.to_thread(opened, content, self._most)
            content, status = envelope.content, envelope.refused or status
        else:
            content = await asyncio.to_thread(readable, content, self._most)
        headers = httpx2.Headers([each for each in answer.headers.multi_items() if each[0].lower() not in _UNPACKED])
        headers["content-type"] = "application/json"
        _wait_by_its_clock(headers)
        return httpx2.Response(status, headers=headers, content=content, request=request)

    async def _read(self, answer: httpx2.Response) -> bytes:
        """The body, unpacked piece by piece; of a refusal, its beginning."""
        most = self._most.content if answer.is_success else _MOST_OF_REFUSAL
        read = bytearray()
        try:
            async for piece in answer.aiter_bytes():
                read += piece
                if len(read) > most:
                    break
        except httpx2.DecodingError as error:
            raise NotAnAnswer(f"answered with what cannot be unpacked ({error})") from None
        if len(read) > most and answer.is_success:
            raise NotAnAnswer(
                f"sent more than {most:,} bytes, which no answer has that DAPER_LLM_MAX_OUTPUT allows; it was cut off"
            )
        return bytes(read[:most])


def _connect_soon(request: httpx2.Request) -> None:
    """A server that is not there is given up long before one that thinks."""
    told: dict[str, float | None] = request.extensions.get("timeout") or {}
    request.extensions = {**request.extensions, "timeout": {**told, "connect": CONNECT_S}}


def _wait_by_its_clock(headers: httpx2.Headers) -> None:
    """A date before which not to come again, as seconds: by the clock of whoever named it, where that is told."""
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
        wait = until - parsedate_to_datetime(headers["date"])
    except (LookupError, ValueError, TypeError, OverflowError):
        return
    headers["retry-after"] = str(max(0, int(wait.total_seconds())))


def _elsewhere(answer: httpx2.Response) -> str:
    where = visible(masked_url(answer.headers.get("location", "")), longest=200)
    return (
        f"is not where it is looked for: the server sends on to {where!r} (HTTP {answer.status_code}), and a key is "
        "not sent after it; set LLM_BASE_URL to where the model is"
    )
