"""The link of a message: it shows the plan to whoever looks, decides once, and only what may be decided so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from temporalio.testing import WorkflowEnvironment

from daper.adapters.decision_links import LASTS, link_token, read_link
from daper.clock import utc_now
from daper.core.models import IdentityProof, Person
from daper.core.outcomes import OutcomeStatus
from tests.console.desk import form_key_in
from tests.console.served import served
from tests.workflow.shop import Shop, open_shop

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
KEY = b"k" * 32


CHANGES: tuple[Callable[[str], str], ...] = (
    lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
    lambda text: text.partition(".")[0],
    lambda text: f"{token(repair_id='r2').partition('.')[0]}.{text.partition('.')[2]}",
    lambda text: "x" + text,
    lambda text: "",
    lambda text: ".",
    lambda text: "é." + text,
    lambda text: "." + text * 100,
)


def token(key: bytes = KEY, **changed: str) -> str:
    said = {"number": "e1", "repair_id": "r1", "plan_digest": "d1", "target": "owl", **changed}
    return link_token(key, **said, at=AT)


def test_a_link_is_read_until_it_is_too_old_and_by_its_key_alone() -> None:
    link = read_link(KEY, token(), now=AT + LASTS - timedelta(seconds=1))
    assert link is not None
    assert (link.repair_id, link.plan_digest, link.target) == ("r1", "d1", "owl")
    assert read_link(KEY, token(), now=AT + LASTS) is None
    assert read_link(b"x" * 32, token(), now=AT) is None


@pytest.mark.parametrize("change", CHANGES)
def test_a_link_that_somebody_changed_is_none(change: Callable[[str], str]) -> None:
    assert read_link(KEY, change(token()), now=AT) is None


@pytest.fixture
async def shop(temporal_env: WorkflowEnvironment, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop whose policy lets links decide on its plan, of which one action has medium risk where it says so."""
    (tmp_path / "policy.toml").write_text("[people]\nby_link = true\n")
    async with open_shop(temporal_env, tmp_path) as opened:
        yield opened


async def link_of(shop: Shop, repair_id: str, digest: str) -> str:
    key = shop.settings.state.form_key().for_a_server()
    made = link_token(key, number="e1", repair_id=repair_id, plan_digest=digest, target="owl", at=utc_now())
    return f"/links/{made}"


async def test_looking_changes_nothing_and_the_repair_has_the_last_word(shop: Shop) -> None:
    repair_id = await shop.start()
    plan = await shop.plan(repair_id)
    shop.settings.state.tokens().add("Luna", ())  # so that everybody else has to sign in
    link = await link_of(shop, repair_id, plan.digest)
    async with served(shop) as url, httpx2.AsyncClient(base_url=url) as mailbox:
        for method in ("GET", "HEAD", "GET", "OPTIONS"):  # as scanners of mail do
            looked = await mailbox.request(method, link)
            assert looked.status_code in {200, 403, 405}
        page = await mailbox.get(link)
        assert (page.status_code, "Approve all" in page.text, plan.actions[0].id in page.text) == (200, True, True)
        assert (await shop.plan(repair_id)).digest == plan.digest
        assert (await mailbox.get("/")).status_code == 303  # it opens this plan, and nothing else
        foreign = {"origin": "http://evil.example"}
        assert (await mailbox.post(link, data={"do": "approve"}, headers=foreign)).status_code == 403
        assert (await mailbox.post(link, data={"do": "approve"}, headers={"origin": url})).status_code == 403
        key = form_key_in(page.text)
        sent = {"do": "reject", "csrf": key}
        done = await mailbox.post(link, data=sent, headers={"origin": url})
        # The plan has more than low risk: no policy lets a link decide on it.
        assert (done.status_code, "by the link of a message" in done.text) == (400, True), done.text
        again = await mailbox.post(link, data=sent, headers={"origin": url})
        assert (again.status_code, "used already" in again.text) == (403, True)
    assert (await shop.plan(repair_id)).digest == plan.digest


async def test_what_may_be_decided_by_a_link_is_decided_once_and_runs_as_it_was_shown(shop: Shop) -> None:
    repair_id = await shop.start(scope={"record_ids": ["ORD-001-HJP"]})
    plan = await shop.plan(repair_id)
    shop.settings.state.tokens().add("Luna", ())
    link = await link_of(shop, repair_id, plan.digest)
    async with served(shop) as url, httpx2.AsyncClient(base_url=url) as mailbox:
        sent = {"do": "approve", "csrf": form_key_in((await mailbox.get(link)).text)}
        done = await asyncio.gather(*(mailbox.post(link, data=sent, headers={"origin": url}) for _ in range(4)))
        result = await shop.end(repair_id)
        later = await mailbox.get(link)
    assert sorted(each.status_code for each in done)[0] == 200
    assert sum("recorded" in each.text for each in done) == 1
    assert (later.status_code, "used already" in later.text) == (403, True)
    (decided,) = result.decisions
    assert isinstance(decided.decision.by, Person)
    assert (decided.decision.by.name, decided.decision.by.how) == ("owl", IdentityProof.MAILBOX)
    assert decided.decision.door == "console, by a link"
    assert [outcome.status for outcome in result.outcomes] == [OutcomeStatus.APPLIED]
    assert shop.effects() == 1
