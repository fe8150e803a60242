"""The API: what the console does, for programs."""

import json
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest

from daper.core.access import Access
from daper.core.models import IdentityProof, Person, Verdict
from tests.console.api import answer_to, api_of, client_of, kind_of, token_of
from tests.console.served import served
from tests.workflow.shop import Shop


@pytest.fixture
async def api(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a console on which nobody needs a token."""
    async with client_of(url) as client:
        yield client


async def test_a_repair_is_started_decided_on_and_read_to_its_end(shop: Shop, api: httpx.AsyncClient) -> None:
    with shop.env.with_time_skipping_disabled():
        started = await api.post("/repairs", json={})
        repair_id = started.json()["repair_id"]
        plan = await shop.plan(repair_id)
        waiting = (await api.get(f"/repairs/{repair_id}")).json()
        decided = await api.post(f"/repairs/{repair_id}/decision", json=answer_to(plan))
        await shop.end(repair_id)
    ended = (await api.get(f"/repairs/{repair_id}")).json()
    listed = (await api.get("/repairs", params={"limit": 1})).json()

    assert (started.status_code, started.headers["location"]) == (201, f"/api/v1/repairs/{repair_id}")
    assert (waiting["ended"], waiting["phase"], waiting["needs_person"]) == (False, "PENDING-APPROVAL", True)
    assert len(waiting["plan"]["actions"]) == waiting["plan"]["total_actions"] == plan.total_actions
    assert decided.status_code == 200, decided.text
    recorded = decided.json()["recorded"]["decision"]
    assert recorded["by"] == {"kind": "person", "name": "Harry", "how": "claimed"}
    assert recorded["door"] == "api"
    assert (ended["ended"], ended["phase"]) == (True, "REPORT-COMPLETED")
    assert [each["decision"]["door"] for each in ended["decisions"]] == ["api"]
    assert [each["repair_id"] for each in listed["repairs"]] == [repair_id]


async def test_the_same_key_is_the_same_repair_and_never_another(shop: Shop, api: httpx.AsyncClient) -> None:
    with shop.env.with_time_skipping_disabled():
        first = await api.post("/repairs", json={}, headers={"Idempotency-Key": "monday"})
        again = await api.post("/repairs", json={}, headers={"Idempotency-Key": '"monday"'})
        other = await api.post("/repairs", json={"dry_run": True}, headers={"Idempotency-Key": "monday"})
        unprintable = await api.post("/repairs", json={}, headers={"Idempotency-Key": "a\tb"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["repair_id"] == first.json()["repair_id"]
    assert again.json()["created"] is False
    assert (other.status_code, kind_of(other)) == (422, "key-taken")
    assert (unprintable.status_code, kind_of(unprintable)) == (422, "does-not-fit")


async def test_the_person_is_who_the_token_says(shop: Shop) -> None:
    token = token_of(shop, "Hermione", [Access.READ, Access.START, Access.APPROVE])
    async with api_of(shop, token=token) as api:
        with shop.env.with_time_skipping_disabled():
            repair_id = (await api.post("/repairs", json={})).json()["repair_id"]
            plan = await shop.plan(repair_id)
            claimed = {"kind": "person", "name": "Dumbledore", "how": "os-user"}
            forged = await api.post(f"/repairs/{repair_id}/decision", json={**answer_to(plan), "by": claimed})
            door = await api.post(f"/repairs/{repair_id}/decision", json={**answer_to(plan), "door": "cli"})
            before = (await api.get(f"/repairs/{repair_id}")).json()["decisions"]
            decided = await api.post(f"/repairs/{repair_id}/decision", json=answer_to(plan, Verdict.REJECT))
            await shop.end(repair_id)
        me = (await api.get("/me")).json()

    assert (kind_of(forged), kind_of(door), before) == ("does-not-fit", "does-not-fit", [])
    recorded = decided.json()["recorded"]["decision"]["by"]
    assert Person.model_validate(recorded) == Person(name="Hermione", how=IdentityProof.TOKEN)
    assert me["person"] == recorded
    assert me["access"] == ["approve", "read", "start"]


async def test_without_a_token_that_counts_nobody_sees_or_does_anything(shop: Shop) -> None:
    token = token_of(shop, "Ron", [Access.READ])
    async with served(shop) as url:
        async with client_of(url) as nobody, client_of(url, token="daper_made-up") as forged:  # noqa: S106
            refused = [
                await nobody.get("/repairs"),
                await nobody.get("/records"),
                await nobody.post("/repairs", json={}),
                await forged.get("/repairs"),
                await nobody.get("/repairs", headers={"Authorization": "Basic UmVhZDpz"}),
            ]
            assert [kind_of(each) for each in refused] == ["not-signed-in"] * 5
            assert all(each.headers["www-authenticate"].startswith("Bearer") for each in refused)
            assert (await nobody.get("/openapi.json")).status_code == 200
        async with client_of(url, token=token) as ron:
            assert (await ron.get("/repairs")).status_code == 200
            assert kind_of(await ron.post("/repairs", json={})) == "not-allowed"
            assert kind_of(await ron.post("/repairs/any/decision", json={})) == "not-allowed"
            shop.settings.state.tokens().remove("Ron")
            assert kind_of(await ron.get("/repairs")) == "not-signed-in"


async def test_nobody_is_let_in_unknown_any_more_once_there_are_tokens(shop: Shop, api: httpx.AsyncClient) -> None:
    assert (await api.get("/repairs")).status_code == 200
    token = token_of(shop, "Luna", [Access.READ])
    assert kind_of(await api.get("/repairs")) == "not-signed-in"
    assert (await api.get("/me", headers={"Authorization": f"Bearer {token}"})).json()["person"]["name"] == "Luna"


BODIES: Final = (
    (b'{"limit": 1,}', 400, "not-json"),
    (b"\xff\xfe", 400, "not-json"),
    (b"[" * 100_000, 400, "not-json"),
    (b'{"limit": NaN}', 400, "not-json"),
    (b'{"limit": 1, "limit": 2}', 400, "not-json"),
    (b'{"limit": 1e999}', 400, "not-json"),
    (b'{"limit": "1"}', 422, "does-not-fit"),
    (b'{"auto_approve": true}', 422, "does-not-fit"),
    (b'{"requested_by": {"name": "Dumbledore"}}', 422, "does-not-fit"),
    (b"[]", 422, "does-not-fit"),
    (b'{"reported": true}', 422, "refused"),
    (b'{"status": "no such status"}', 422, "refused"),
    (b'{"record_ids": ["a"], "partition": "1/2"}', 422, "refused"),
    (b'{"domain": "no such domain"}', 404, "not-found"),
    (b" " * 1_100_000, 413, "too-long"),
)
PATHS: Final = (
    ("GET", "/nothing", 404, "not-found"),
    ("GET", "/repairs/a%0Ab", 404, "not-found"),
    ("GET", "/repairs/a%2Fb", 404, "not-found"),
    ("GET", "/records/a%0Ab", 404, "not-found"),
    ("GET", "/../v2/repairs", 404, "not-found"),
    ("GET", "/repairs/", 404, "not-found"),
    ("DELETE", "/repairs", 405, "no-method"),
    ("GET", "/repairs?limit=0", 422, "does-not-fit"),
    ("GET", "/repairs?limit=1&limit=2", 422, "does-not-fit"),
    ("GET", "/repairs?limit=on", 422, "does-not-fit"),
    ("GET", "/repairs?Limit=1", 422, "does-not-fit"),
    ("GET", "/records?with_problems=1", 422, "does-not-fit"),
    ("GET", "/repairs/no-such-repair", 404, "not-found"),
    ("GET", "/repairs/no-such-repair/events", 404, "not-found"),
    ("GET", "/records/no%2Fsuch%2Frecord", 404, "not-found"),
    ("GET", "/schedules/none", 404, "not-found"),
    ("POST", "/schedules/no%20name/trigger", 422, "refused"),
)
MEDIA: Final = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None)


async def test_a_body_that_is_not_as_it_must_be_is_refused(api: httpx.AsyncClient) -> None:
    for sent, status, kind in BODIES:
        refused = await api.post("/repairs", content=sent, headers={"content-type": "application/json"})
        assert (sent[:40], refused.status_code, kind_of(refused)) == (sent[:40], status, kind)
    for media in MEDIA:  # which a form of another site could send
        refused = await api.post("/repairs", content=b"{}", headers={"content-type": media} if media else {})
        assert (media, refused.status_code, kind_of(refused)) == (media, 415, "other-media")


async def test_every_error_is_a_problem(api: httpx.AsyncClient) -> None:
    for method, path, status, kind in PATHS:
        refused = await api.request(method, path)
        assert (path, refused.status_code, kind_of(refused)) == (path, status, kind)
        assert ("allow" in refused.headers) == (kind == "no-method")


async def test_records_are_listed_and_shown_with_what_is_wrong(api: httpx.AsyncClient) -> None:
    found = (await api.get("/records", params={"with_problems": "true", "most": "1"})).json()
    further = (await api.get("/records", params={"with_problems": "true", "after": found["after"]})).json()
    (line,) = found["records"]
    one = (await api.get(f"/records/{line['head']['record_id']}")).json()
    assert line["head"]["record_id"] == found["after"]
    assert line["head"] not in [each["head"] for each in further["records"]] != []
    assert one["problems"] == line["problems"] != []
    assert one["record"]["order_id"] == line["head"]["record_id"]


async def test_events_tell_where_a_repair_stands_until_it_has_ended(shop: Shop, api: httpx.AsyncClient) -> None:
    with shop.env.with_time_skipping_disabled():
        repair_id = (await api.post("/repairs", json={})).json()["repair_id"]
        plan = await shop.plan(repair_id)
        events: list[tuple[str, dict[str, object]]] = []
        async with api.stream("GET", f"/repairs/{repair_id}/events") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            name = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    events.append((name, json.loads(line.removeprefix("data: "))))
                    if len(events) == 1:
                        await api.post(f"/repairs/{repair_id}/decision", json=answer_to(plan, Verdict.REJECT))
    assert events[0][0] == "repair"
    assert events[0][1]["phase"] == "PENDING-APPROVAL"
    assert (events[-1][0], events[-1][1]["phase"]) == ("ended", "REJECTED")
    again = await api.get(f"/repairs/{repair_id}/events", headers={"Last-Event-ID": "ended"})
    assert (again.status_code, again.content) == (204, b"")
