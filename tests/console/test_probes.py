"""What probes and scrapers are told of a console."""

import httpx

from daper.core.access import Access
from tests.console.api import token_of
from tests.console.served import served
from tests.workflow.shop import Shop


async def test_probes_are_told_that_it_lives_and_whether_it_can_serve(shop: Shop, url: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        health, ready, metrics = [await client.get(path) for path in ("/health", "/ready", "/metrics")]
        changed = await client.post("/health")
    assert (health.status_code, health.json()) == (200, {"alive": True})
    assert (ready.status_code, ready.json()) == (200, {"ready": True})
    assert (metrics.status_code, metrics.json()) == (503, {"reason": "this process counts nothing"})
    assert changed.status_code == 405


async def test_whoever_is_unknown_is_told_no_reason_and_no_figure(shop: Shop) -> None:
    token = token_of(shop, "Prometheus", [Access.READ])
    async with served(shop) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        (shop.home / "daper.db").unlink(missing_ok=True)
        known = {"Authorization": f"Bearer {token}"}
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics", headers=known)).status_code == 503
