"""Decisions that nobody made here: forged, replayed, raced, sent by other sites' pages. None of them is recorded."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from daper.core.access import Access
from daper.core.models import Verdict
from daper.core.views import PlanView
from tests.console.api import answer_to, client_of, kind_of, token_of
from tests.console.served import served
from tests.workflow.shop import HARRY, Shop

ALL: Final = (Access.READ, Access.START, Access.APPROVE)
OTHER_SITES: Final = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


@pytest.fixture
async def api(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a console on which nobody needs a token."""
    async with client_of(url) as client:
        yield client


async def waiting(shop: Shop) -> tuple[str, PlanView]:
    """A repair whose plan waits."""
    repair_id = await shop.start()
    return repair_id, await shop.plan(repair_id)


async def decisions_on(shop: Shop, repair_id: str) -> int:
    look: Any = await shop.service.look(repair_id)  # Any: open or ended
    return len(look.decisions) if hasattr(look, "decisions") else int(look.decision is not None)


async def test_what_another_site_has_a_browser_send_decides_nothing(shop: Shop, api: httpx.AsyncClient) -> None:
    repair_id, plan = await waiting(shop)
    way = f"/repairs/{repair_id}/decision"
    for headers in OTHER_SITES:
        refused = await api.post(way, json=answer_to(plan), headers=headers)
        assert (headers, refused.status_code, kind_of(refused)) == (headers, 403, "foreign")
    named = await api.post(way, json=answer_to(plan), headers={"host": "evil.example"})
    form = await api.post(way, data={"plan_digest": plan.digest, "verdicts": "approve"})
    hidden = await api.post(way, content='{"verdicts": {}}', headers={"content-type": "text/plain"})
    asked = await api.options(way, headers={"origin": "https://evil.example", "access-control-request-method": "POST"})
    got = await api.get(f"{way}?plan_digest={plan.digest}", headers={"x-http-method-override": "POST"})

    assert (named.status_code, kind_of(named)) == (400, "other-name")
    # Of a form of a browser the guard asks for its proof; what is no form of one is no JSON.
    assert (kind_of(form), kind_of(hidden)) == ("other-media", "other-media")
    assert "access-control-allow-origin" not in asked.headers
    assert kind_of(got) == "no-method"
    assert await decisions_on(shop, repair_id) == 0


async def test_no_answer_can_be_framed_or_read_by_another_site(shop: Shop, api: httpx.AsyncClient) -> None:
    for path in ("/repairs", "/openapi.json", "/nothing"):
        headers = (await api.get(path)).headers
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


async def test_only_the_plan_that_waits_is_decided_and_only_what_it_has(shop: Shop, api: httpx.AsyncClient) -> None:
    repair_id, plan = await waiting(shop)
    way, whole = f"/repairs/{repair_id}/decision", answer_to(plan)
    first = plan.actions[0].id
    forged = {
        "changed": {**whole, "plan_digest": "0" * len(plan.digest)},
        "refused-decision": {**whole, "verdicts": {"a999": "approve"}},
        "does-not-fit": {**whole, "verdicts": {first: "approved"}},
    }
    for kind, sent in forged.items():
        assert kind_of(await api.post(way, json=sent)) == kind
    over = {**whole, "edits": {first: {"no_such_argument": 1}}}
    assert kind_of(await api.post(way, json=over)) == "refused-decision"
    huge = b'{"plan_digest": "%b", "verdicts": {"a1": "approve"}, "edits": {"a1": {"quantity": 1e400}}}'
    sent = huge % plan.digest.encode()
    assert kind_of(await api.post(way, content=sent, headers={"content-type": "application/json"})) == "not-json"
    assert await decisions_on(shop, repair_id) == 0


async def test_a_decision_that_is_sent_again_is_the_same_one_and_another_is_told_who_was_first(shop: Shop) -> None:
    hermione, ron = (token_of(shop, name, ALL) for name in ("Hermione", "Ron"))
    async with served(shop) as url, client_of(url, token=hermione) as hers, client_of(url, token=ron) as his:
        repair_id, plan = await waiting(shop)
        way = f"/repairs/{repair_id}/decision"
        with shop.env.with_time_skipping_disabled():
            first = await hers.post(way, json=answer_to(plan, Verdict.REJECT))
            await shop.end(repair_id)
            replayed = await hers.post(way, json=answer_to(plan, Verdict.REJECT))
            late = await his.post(way, json=answer_to(plan))
    assert (first.json()["kind"], first.json()["repeated"]) == ("recorded", False)
    assert (replayed.json()["kind"], replayed.json()["repeated"]) == ("recorded", True)
    assert replayed.json()["recorded"] == first.json()["recorded"]
    assert (late.status_code, kind_of(late)) == (409, "already-decided")
    assert late.json()["answer"]["by"] == "Hermione (token)"
    assert "Hermione" in late.json()["detail"]


async def test_of_two_who_decide_at_once_one_is_recorded_and_the_other_told(shop: Shop) -> None:
    hermione, ron = (token_of(shop, name, ALL) for name in ("Hermione", "Ron"))
    async with served(shop) as url, client_of(url, token=hermione) as hers, client_of(url, token=ron) as his:
        repair_id, plan = await waiting(shop)
        way = f"/repairs/{repair_id}/decision"
        with shop.env.with_time_skipping_disabled():
            answers = await asyncio.gather(
                hers.post(way, json=answer_to(plan, Verdict.REJECT)), his.post(way, json=answer_to(plan))
            )
            result = await shop.end(repair_id)
    won, lost = sorted(answers, key=lambda each: each.status_code)
    assert (won.status_code, lost.status_code, kind_of(lost)) == (200, 409, "already-decided")
    assert len(result.decisions) == 1
    assert lost.json()["answer"]["recorded"]["decision"] == result.decisions[0].decision.model_dump(mode="json")


async def test_a_decision_after_the_repair_was_stopped_is_told_what_has_changed(
    shop: Shop, api: httpx.AsyncClient
) -> None:
    repair_id, plan = await waiting(shop)
    with shop.env.with_time_skipping_disabled():
        assert (await api.post(f"/repairs/{repair_id}/stop", json={"reason": "no need"})).status_code == 202
        await shop.end(repair_id)
    late = await api.post(f"/repairs/{repair_id}/decision", json=answer_to(plan))
    again = await api.post(f"/repairs/{repair_id}/stop")
    assert (late.status_code, kind_of(late)) == (409, "changed")
    assert late.json()["answer"]["changes"]
    assert (again.status_code, kind_of(again)) == (409, "refused-decision")


async def test_a_token_decides_as_its_person_whatever_a_cookie_or_a_header_claims(shop: Shop) -> None:
    token = token_of(shop, "Neville", [Access.READ, Access.APPROVE])
    claims = {"cookie": "daper=Dumbledore; session=1", "x-forwarded-user": "Dumbledore", "x-remote-user": HARRY.name}
    async with served(shop) as url, client_of(url, token=token, **claims) as api:
        repair_id, plan = await waiting(shop)
        with shop.env.with_time_skipping_disabled():
            decided = await api.post(f"/repairs/{repair_id}/decision", json=answer_to(plan, Verdict.REJECT))
            result = await shop.end(repair_id)
        assert kind_of(await api.post(f"/repairs/{repair_id}/stop")) == "not-allowed"
    assert decided.status_code == 200
    (recorded,) = result.decisions
    assert recorded.decision.by.model_dump() == {"kind": "person", "name": "Neville", "how": "token"}
