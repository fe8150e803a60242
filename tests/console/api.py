"""What the tests of the API ask with."""

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

import httpx

from daper.core.access import Access
from daper.core.models import Verdict
from daper.core.views import PlanView
from tests.console.served import served
from tests.workflow.shop import Shop

BASE = "/api/v1"
PROBLEM = "application/problem+json"


@asynccontextmanager
async def api_of(shop: Shop, *, token: str = "", **headers: str) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the console's API, with a token or without one."""
    async with served(shop) as url, client_of(url, token=token, **headers) as client:
        yield client


def client_of(url: str, *, token: str = "", **headers: str) -> httpx.AsyncClient:
    """A client of one that is served."""
    brings = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(base_url=f"{url}{BASE}", headers={**brings, **headers}, timeout=60, trust_env=False)


def token_of(shop: Shop, name: str, scopes: Collection[Access]) -> str:
    """A token that this person has from now on."""
    return shop.settings.state.tokens().add(name, scopes)


def answer_to(plan: PlanView, verdict: Verdict = Verdict.APPROVE) -> dict[str, object]:
    """A decision on all of a plan, as it is sent."""
    return {"plan_digest": plan.digest, "verdicts": {action.id: str(verdict) for action in plan.actions}}


def kind_of(response: httpx.Response) -> str:
    """Which problem it is; every one has all that a problem has."""
    said = response.json()
    assert response.headers["content-type"] == PROBLEM, response.text
    assert said["status"] == response.status_code
    assert said["type"] == f"urn:daper:problem:{said['kind']}"
    assert said["title"]
    assert said["detail"]
    return said["kind"]
