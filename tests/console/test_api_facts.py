"""What has happened, told over the API: by a person with a token, or by a program that signs what it sends."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest
from temporalio.testing import WorkflowEnvironment

from daper.adapters.notify.incoming import why_refused
from daper.adapters.notify.webhook import key_of, sign
from daper.clock import utc_now
from daper.core.access import Access
from tests.console.api import api_of, client_of, kind_of, token_of
from tests.console.served import served
from tests.workflow.shop import Shop

RON: Final = "ORD-003-RBW"
HAGRID: Final = "ORD-004-RHG"
SECRET: Final = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER: Final = "whsec_" + base64.b64encode(b"o" * 32).decode()
PEOPLE: Final = """
[senders.bank]
secret_env = "BANK_SECRET"
facts = ["paid"]

[senders.forgetful]
secret_env = "NO_SECRET"
facts = "paid"
"""


@pytest.fixture
def shop(temporal_env: WorkflowEnvironment, tmp_path: Path) -> Shop:
    """The shipped records, with nobody at work."""
    (tmp_path / "people.toml").write_text(PEOPLE)
    return Shop(temporal_env, tmp_path, domains=None, indexed=True, environ={"BANK_SECRET": SECRET})


@pytest.fixture
async def api(shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    token = token_of(shop, "Hermione", [Access.READ, Access.TELL])
    async with api_of(shop, token=token) as client:
        yield client


def signed(
    said: Mapping[str, object], *, secret: str = SECRET, event_id: str = "e1", at: datetime | None = None
) -> tuple[bytes, dict[str, str]]:
    """A body, and the headers that go with it."""
    body, moment = json.dumps(said).encode(), int((at or utc_now()).timestamp())
    key = key_of(secret)
    assert key is not None
    return body, {
        "content-type": "application/json",
        "webhook-id": event_id,
        "webhook-timestamp": str(moment),
        "webhook-signature": sign(key, event_id, moment, body),
    }


async def test_a_fact_is_told_once_by_the_person_whose_token_it_is(shop: Shop, api: httpx.AsyncClient) -> None:
    first = await api.post(f"/records/{RON}/facts", json={"fact": "paid", "source": "the bank"})
    again = await api.post(f"/records/{RON}/facts", json={"fact": "paid"})

    assert (first.status_code, again.status_code) == (201, 200), first.text
    told = first.json()["told"]
    assert (told["by"]["name"], told["by"]["how"], told["door"], told["source"]) == (
        "Hermione",
        "token",
        "api",
        "the bank",
    )
    assert (first.json()["known"], again.json()["known"], shop.status(RON)) == (False, True, "processing")


async def test_the_same_key_is_the_same_telling_and_never_another(api: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await api.post(f"/records/{RON}/facts", json={"fact": "paid"}, headers=key)
    again = await api.post(f"/records/{RON}/facts", json={"fact": "paid"}, headers=key)
    other = await api.post(f"/records/{RON}/facts", json={"fact": "cancelled"}, headers=key)
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 422)
    assert kind_of(other) == "key-taken"


@pytest.mark.parametrize(
    ("record_id", "said", "status", "kind", "detail"),
    [
        (RON, {"fact": "lost"}, 422, "refused", "there are: paid, approved, delivered, cancelled"),
        ("ORD-3-RBW", {"fact": "paid"}, 404, "not-found", "did you mean 'ORD-003-RBW'"),
        (RON, {"fact": "paid", "at": "2025-06-28T00:00:00"}, 422, "does-not-fit", "timezone"),
        (RON, {"fact": "paid", "at": "2999-06-28T00:00:00Z"}, 422, "refused", "is still to come"),
        (RON, {"fact": "paid", "by": "Dumbledore"}, 422, "does-not-fit", "body.by"),
        (HAGRID, {"fact": "approved", "arguments": {"approver": "draco@x.example"}}, 422, "refused", "may not approve"),
        (RON, {"fact": "delivered", "arguments": {"quantity": -1}}, 422, "refused", "above 0"),
    ],
)
async def test_what_cannot_be_so_is_a_problem_and_changes_nothing(
    shop: Shop,
    api: httpx.AsyncClient,
    record_id: str,
    said: dict[str, object],
    status: int,
    kind: str,
    detail: str,
) -> None:
    await api.get(f"/records/{RON}")  # the first look brings the records
    answer = await api.post(f"/records/{record_id}/facts", json=said)
    assert (answer.status_code, kind_of(answer)) == (status, kind)
    assert detail in answer.json()["detail"]
    assert shop.status(RON) == "payment-denied"


async def test_a_token_that_decides_does_not_tell(shop: Shop) -> None:
    token = token_of(shop, "Percy", [Access.READ, Access.START, Access.APPROVE])
    async with api_of(shop, token=token) as api:
        answer = await api.post(f"/records/{RON}/facts", json={"fact": "paid"})
    assert (answer.status_code, kind_of(answer)) == (403, "not-allowed")
    assert "this needs tell" in answer.json()["detail"]


async def test_a_program_that_signs_needs_no_token_and_tells_once_what_it_may(shop: Shop) -> None:
    token_of(shop, "Hermione", [Access.READ])  # so that nobody else comes in without one
    paid = {"record_id": RON, "fact": "paid"}
    async with api_of(shop) as api:
        body, headers = signed(paid)
        first = await api.post("/senders/bank/facts", content=body, headers=headers)
        replayed = await api.post("/senders/bank/facts", content=body, headers=headers)
        body, headers = signed({"record_id": HAGRID, "fact": "paid"})
        other = await api.post("/senders/bank/facts", content=body, headers=headers)
        body, headers = signed({"record_id": RON, "fact": "cancelled"}, event_id="e2")
        not_its = await api.post("/senders/bank/facts", content=body, headers=headers)
        unsigned = await api.post(f"/records/{RON}/facts", json={"fact": "cancelled"})

    assert (first.status_code, replayed.status_code, replayed.json()["known"]) == (201, 200, True), first.text
    told = first.json()["told"]
    assert (told["by"]["name"], told["by"]["how"], told["door"], told["request_key"]) == (
        "bank",
        "signature",
        "webhook",
        "e1",
    )
    assert (other.status_code, kind_of(other)) == (422, "key-taken")
    assert (not_its.status_code, kind_of(not_its)) == (403, "not-allowed")
    assert (unsigned.status_code, kind_of(unsigned)) == (401, "not-signed-in")
    assert shop.status(RON) == "processing"


async def _refused(api: httpx.AsyncClient, sender: str, body: bytes, headers: Mapping[str, str], why: str) -> None:
    answer = await api.post(f"/senders/{sender}/facts", content=body, headers=headers)
    assert (answer.status_code, kind_of(answer)) == (401, "not-signed-in")
    assert why in answer.json()["detail"]


async def test_what_is_wrongly_signed_or_old_is_refused_and_changes_nothing(shop: Shop) -> None:
    paid = {"record_id": RON, "fact": "paid"}
    body, headers = signed(paid)
    no_fit = "webhook-signature does not fit"
    async with served(shop) as url, client_of(url) as api:
        await _refused(api, "bank", *signed(paid, secret=OTHER), no_fit)
        await _refused(api, "bank", body.replace(b"003", b"001"), headers, no_fit)
        await _refused(api, "bank", body, {**headers, "webhook-id": "e2"}, no_fit)
        await _refused(api, "bank", body, {**headers, "webhook-signature": ""}, no_fit)
        await _refused(api, "nobody", body, headers, no_fit)
        await _refused(api, "forgetful", body, headers, no_fit)
        await _refused(api, "bank", *signed(paid, at=utc_now() - timedelta(minutes=6)), "more than 5 minutes ago")
        await _refused(api, "bank", *signed(paid, at=utc_now() + timedelta(minutes=6)), "is still to come")
        await _refused(api, "bank", body, {**headers, "webhook-timestamp": "soon"}, "in seconds since 1970")
        await _refused(api, "bank", body, {**headers, "webhook-id": "a b"}, "without blanks")
        too_often = await api.post("/senders/bank/facts", content=body, headers=headers)
        await api.get(f"/records/{RON}")
    assert (too_often.status_code, kind_of(too_often)) == (429, "too-often")
    assert shop.status(RON) == "payment-denied"


@pytest.mark.parametrize(
    "wrong",
    [{}, {"webhook-id": "a b"}, {"webhook-timestamp": "soon"}, {"webhook-timestamp": "1"}, {"webhook-signature": ""}],
)
async def test_nothing_tells_a_sender_that_is_there_from_one_that_is_not(shop: Shop, wrong: Mapping[str, str]) -> None:
    body, headers = signed({"record_id": RON, "fact": "paid"}, secret=OTHER)
    async with served(shop) as url, client_of(url) as api:
        answers = [
            await api.post(f"/senders/{name}/facts", content=body, headers={**headers, **wrong})
            for name in ("bank", "nobody", "forgetful")
        ]
    assert {each.status_code for each in answers} == {401}
    assert len({each.json()["detail"] for each in answers}) == 1


async def test_what_is_too_long_or_no_json_is_refused(shop: Shop) -> None:
    async with api_of(shop) as api:
        long = await api.post("/senders/bank/facts", content=b" " * (1024 * 1024 + 1))
        body, headers = b"paid", signed({})[1]
        moment = int(headers["webhook-timestamp"])
        key = key_of(SECRET)
        assert key is not None
        headers["webhook-signature"] = sign(key, "e1", moment, body)
        no_json = await api.post("/senders/bank/facts", content=body, headers=headers)
    assert (long.status_code, kind_of(long)) == (413, "too-long")
    assert (no_json.status_code, kind_of(no_json)) == (400, "not-json")


async def test_one_delivery_sent_ten_times_at_once_counts_once(shop: Shop) -> None:
    body, headers = signed({"record_id": RON, "fact": "paid"})
    async with api_of(shop) as api:
        sent = (api.post("/senders/bank/facts", content=body, headers=headers) for _ in range(10))
        answers = await asyncio.gather(*sent)
    assert sorted(each.status_code for each in answers) == [*[200] * 9, 201]


def test_a_signature_is_one_of_several_while_a_secret_is_changed() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    body, headers = signed({"a": 1}, at=now)
    _, others = signed({"a": 1}, at=now, secret=OTHER)
    both = {**headers, "webhook-signature": f"{others['webhook-signature']} {headers['webhook-signature']}"}
    key = key_of(SECRET)
    assert key is not None
    assert why_refused(key, both, body, now=now) == ""
    assert why_refused(key, both, body, now=now + timedelta(minutes=5)) == ""
    assert why_refused(key, both, body, now=now + timedelta(minutes=5, seconds=1))
