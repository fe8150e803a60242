"""The application of the API: a route for each path of the table, and every error as a problem."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.adapters.metrics.requests import Requests, counted_requests
from daper.clock import ticks
from daper.core.errors import DaperError
from daper.core.text import visible
from daper.entrypoints.web.api.callers import allowed
from daper.entrypoints.web.api.openapi import BASE
from daper.entrypoints.web.api.operations import JSON, AnyOperation, Call, Replied
from daper.entrypoints.web.api.problems import Kind, Refusal, answer, answer_to, problem
from daper.entrypoints.web.api.reading import bytes_of, fitted_body, read_body, read_query
from daper.entrypoints.web.api.table import DOCUMENT, OPERATIONS
from daper.entrypoints.web.console import Console
from daper.entrypoints.web.visitors import visitor_of

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


def api_app(console: Console) -> Starlette:
    """The API of a console, below the path where it is mounted."""
    count = counted_requests()
    by_path: dict[str, dict[str, AnyOperation]] = {}
    for each in OPERATIONS:
        by_path.setdefault(each.path, {})[each.method] = each
    routes = [
        Route(_pattern(path), _endpoint(console, methods, count), methods=list(methods))
        for path, methods in by_path.items()
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={HTTPException: _of_http, Exception: _broken},
    )
    app.state.console = console
    app.router.redirect_slashes = False
    return app


def _pattern(path: str) -> str:
    """As the router has it: the id of a record may hold a slash, which is escaped in the URL."""
    return path.replace("{record_id}", "{record_id:path}")


def _endpoint(console: Console, methods: Mapping[str, AnyOperation], count: Requests) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        operation = methods["GET" if request.method == "HEAD" else request.method]
        began, status = ticks(), int(Kind.BROKEN.status)
        try:
            response = await _done(operation, request, console)
            status = response.status_code
        except (Refusal, DaperError) as error:
            response = answer_to(error)
            status = response.status_code
            if status == Kind.BROKEN.status:
                log.warning("the API could not answer", extra={"operation": operation.name, "reason": str(error)})
        finally:
            count(operation=operation.name, status=status, seconds=ticks() - began)
        return response

    return endpoint


async def _done(operation: AnyOperation, request: Request, console: Console) -> Response:
    visitor = visitor_of(request)
    if operation.access is not None:
        allowed(visitor, operation.access)
    query = read_query(request.query_params, operation.query)
    if operation.vouches is not None:
        text = await bytes_of(request)
        visitor = await asyncio.to_thread(operation.vouches, console, request, text)
        body = fitted_body(request, text, operation.body, needed=operation.needs_body)
    elif operation.reads_body:
        body = await read_body(request, operation.body, needed=operation.needs_body)
    else:
        body = operation.body()
    call = Call(
        console=console,
        visitor=visitor,
        path=request.path_params,
        query=query,
        body=body,
        request=request,
    )
    replied = await operation.does(call)
    if replied_status(replied) not in operation.answers:
        raise TypeError(f"{operation.name} answers {replied_status(replied)}, which the table does not have")
    return replied if isinstance(replied, Response) else _written(replied)


def replied_status(replied: Replied | Response) -> int:
    """With which status something is answered."""
    return replied.status if isinstance(replied, Replied) else replied.status_code


def _written(replied: Replied) -> Response:
    text = replied.document.model_dump_json() if replied.document is not None else ""
    return Response(text, status_code=replied.status, media_type=JSON, headers=dict(replied.headers))


async def _of_http(request: Request, error: Exception) -> Response:
    """What the router has no way for."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allows = (error.headers or {}).get("Allow", "")
        said = problem(Kind.NO_METHOD, f"{request.method} is no method of this path; there are: {allows}")
        return answer(said, headers={"allow": allows})
    return no_path(request)


def no_path(request: Request) -> Response:
    """There is nothing there, said as the API says it."""
    path = visible(request.url.path, longest=200)
    return answer(problem(Kind.NOT_FOUND, f"there is no path {path!r}; all of them: GET {BASE}{DOCUMENT}"))


async def _broken(request: Request, error: Exception) -> Response:
    """A fault of ours: whoever asked is told so and no more, and the log has it, from where it is raised again."""
    return answer(problem(Kind.BROKEN, "the server has more in its log"))
