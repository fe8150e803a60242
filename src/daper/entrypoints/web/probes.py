"""What probes and scrapers ask of the console: that it lives, whether it can serve, and what its process counts."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from daper.adapters.metrics.pages import Answer, Page
from daper.adapters.metrics.readiness import Look, Readiness
from daper.adapters.metrics.worker_pages import HEALTH, METRICS, READY, worker_pages
from daper.core.access import Access
from daper.entrypoints.web.api.callers import allowed
from daper.entrypoints.web.api.problems import Refusal, answer_to
from daper.entrypoints.web.console import Console
from daper.entrypoints.web.visitors import visitor_of

_READY: Final = b'{"ready": true}\n'
_NOT_READY: Final = b'{"ready": false}\n'


def probes_of(console: Console) -> list[BaseRoute]:
    """The same three pages as a worker has. Only who may read is told what is counted."""
    readiness = Readiness()
    readiness.begun(_looks(console))
    pages = worker_pages(readiness, console.exporter)
    return [
        Route(HEALTH, _open(pages[HEALTH])),
        Route(READY, _short(pages[READY])),
        Route(METRICS, _for_readers(pages[METRICS])),
    ]


def _open(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return _response(await page())

    return endpoint


def _short(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """Whether it is ready, for everybody; why not, which names addresses, only for who may read."""

    async def endpoint(request: Request) -> Response:
        said = await page()
        if not visitor_of(request).may(Access.READ):
            said = Answer(_READY if said.status is HTTPStatus.OK else _NOT_READY, said.status)
        return _response(said)

    return endpoint


def _for_readers(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            allowed(visitor_of(request), Access.READ)
        except Refusal as error:
            return answer_to(error)
        return _response(await page())

    return endpoint


def _response(said: Answer) -> Response:
    return Response(said.body, status_code=said.status, headers={"content-type": said.media})


def _looks(console: Console) -> Mapping[str, Look]:
    """What the console cannot do without. A worker is not one: what waits for it can be seen, and decided later."""
    return {
        "Temporal": partial(_temporal, console),
        "what is kept": partial(_kept, console),
    }


async def _temporal(console: Console) -> None:
    """Raises Unreachable."""
    await console.services.repairs.workers(console.settings.task_queue)


async def _kept(console: Console) -> None:
    """Raises a StoreError where the database of what is kept does not answer."""
    await console.settings.state.spending().of_cycle("")
