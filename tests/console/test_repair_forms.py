"""What comes to the page of a repair without its buttons: forged, replayed and hostile; and plans of every size."""

import html
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from daper.core.guard import seal
from daper.core.lines import TO, PlanHead, action_lines, left_alone_lines
from daper.core.models import Change, ProposedAction, Risk, Verdict
from tests.console.in_process import URL, browsing
from tests.console.standing import Standing, standing_app, waiting
from tests.llm.injections import PAYLOADS
from tests.unit.every_door import LOOK, PLAN, VIEW
from tests.unit.planned import plan_of, proposed
from tests.unit.sized_repairs import a_plan, ended_repair, waiting_repair


def _standing(orders: int, *, hostile: bool = False) -> Standing:
    return Standing(waiting_repair(orders, hostile=hostile), a_plan(orders, hostile=hostile))


def _with_risk(risk: Risk) -> Standing:
    """A repair of which each action has that risk."""
    plan = a_plan(2, hostile=False)
    made = [
        ProposedAction.model_validate(
            {**action.model_dump(), "text": action.bound.model_copy(update={"risk": risk}).to_text()}
        )
        for action in plan.actions
    ]
    sealed = seal(plan.model_copy(update={"actions": tuple(made)}), cycle_id="c1")
    return Standing(waiting(sealed, waiting_repair(2, hostile=False)), sealed)


def _form(repairs: Standing, **fields: str) -> dict[str, str]:
    plan = repairs.plan
    return {"plan": plan.digest, "shown": " ".join(action.id for action in plan.actions), "do": "chosen", **fields}


@asynccontextmanager
async def _client(home: Path, repairs: Standing) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(standing_app(home, repairs))
    async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


async def _send(home: Path, repairs: Standing, **fields: str) -> httpx.Response:
    async with _client(home, repairs) as client:
        return await client.post(f"/repairs/{repairs.now.repair_id}/decision", data=_form(repairs, **fields))


async def test_nothing_is_decided_of_what_was_not_shown(tmp_path: Path) -> None:
    repairs = _standing(3)
    sent = await _send(tmp_path, repairs, do="approve-all", shown="a1")
    assert sent.status_code == HTTPStatus.SEE_OTHER
    assert repairs.decided[0].decision.verdicts == {"a1": Verdict.APPROVE}


@pytest.mark.parametrize(
    "fields",
    [
        {"verdict.a1": "approve", "edit.a1.quantity": "554"},
        {"verdict.a1": "approve", "edit.a1.quantity": "two hundred"},
        {"verdict.a1": "approve", "edit.a1.quantity": "9" * 5000},
        {"edit.a1.quantity": "300"},
        {"do": "selected", "approve": "a1", "reject": "a1"},
        {"do": "selected", "approve": "a7-a9"},
        {"do": "selected"},
        {"verdict.a1": "APPROVE"},
        {"verdict.a9": "approve", "shown": "a9"},
        {"shown": "a" * 400, "verdict.a1": "approve"},
        {"do": "approve-everything"},
        {},
    ],
)
async def test_what_does_not_fit_is_refused_in_words_and_the_plan_waits_on(
    tmp_path: Path, fields: dict[str, str]
) -> None:
    repairs = _standing(2)
    sent = await _send(tmp_path, repairs, **fields)
    assert sent.status_code in {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.BAD_REQUEST}
    assert 'role="alert"' in sent.text
    assert repairs.decided == []


async def test_a_form_of_another_plan_is_told_what_waits_now(tmp_path: Path) -> None:
    repairs = _standing(2)
    sent = await _send(tmp_path, repairs, do="approve-all", plan="0" * 64)
    assert sent.status_code == HTTPStatus.CONFLICT
    assert "since you looked" in sent.text
    assert repairs.decided == []


async def test_the_same_form_again_is_told_that_it_is_decided_whatever_it_says(tmp_path: Path) -> None:
    repairs = _standing(2)
    await _send(tmp_path, repairs, do="reject-all")
    again = await _send(tmp_path, repairs, do="chosen", **{"verdict.a1": "approve", "edit.a1.quantity": "9999"})
    assert again.status_code == HTTPStatus.CONFLICT
    assert "already decided" in again.text
    assert len(repairs.decided) == 1


async def test_a_high_risk_is_refused_without_the_name_of_its_target_whatever_sends_it(tmp_path: Path) -> None:
    repairs = _with_risk(Risk.HIGH)
    first = repairs.plan.actions[0].bound.record_id
    for wrong in ({}, {"named.a1": "a1"}, {"named.a2": first}):
        sent = await _send(tmp_path, repairs, **{"verdict.a1": "approve", **wrong})
        assert sent.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert first in sent.text
    assert repairs.decided == []
    # To reject it takes no name.
    await _send(tmp_path, repairs, **{"verdict.a1": "approve", "named.a1": f"{first.lower()} ", "verdict.a2": "reject"})
    assert repairs.decided[0].decision.verdicts == {"a1": Verdict.APPROVE, "a2": Verdict.REJECT}


async def test_what_takes_a_passkey_is_approved_by_no_form_without_one_and_rejected_by_any(tmp_path: Path) -> None:
    repairs = _with_risk(Risk.MEDIUM)
    (tmp_path / "policy.toml").write_text('[people]\npasskey_from = "medium"\n', encoding="utf-8")
    async with _client(tmp_path, repairs) as client:
        page = (await client.get(f"/repairs/{repairs.now.repair_id}")).text
    assert f'data-passkey="{repairs.plan.digest}"' in page
    assert "/static/passkey.js" in page
    for wish in ({"do": "approve-all"}, {"verdict.a2": "approve"}, {"verdict.a2": "approve", "passkey": "{}"}):
        sent = await _send(tmp_path, repairs, **wish)
        assert sent.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert "passkey" in sent.text
    assert repairs.decided == []
    assert (await _send(tmp_path, repairs, do="reject-all")).status_code == HTTPStatus.SEE_OTHER


async def test_a_plan_of_more_than_a_page_is_there_as_a_whole_and_what_is_alike_together(tmp_path: Path) -> None:
    repairs = _standing(400)
    async with _client(tmp_path, repairs) as client:
        got = await client.get(f"/repairs/{repairs.now.repair_id}")
    for action in repairs.plan.actions:
        assert f'id="action-{action.id}"' in got.text
    assert got.text.count("<h3") < len(repairs.plan.actions) / 3
    choices = {f"verdict.{action.id}": "approve" for action in repairs.plan.actions}
    edits = {f"edit.{action.id}.quantity": "201" for action in repairs.plan.actions}
    sent = await _send(tmp_path, repairs, **choices, **edits)
    assert sent.status_code == HTTPStatus.SEE_OTHER
    assert len(repairs.decided[0].decision.edits) == len(repairs.plan.actions)


async def test_every_field_of_every_action_is_said_on_its_card_and_the_heads_above(tmp_path: Path) -> None:
    async with _client(tmp_path, Standing(LOOK, PLAN)) as client:
        shown = _rendered((await client.get(f"/repairs/{LOOK.repair_id}")).text)
    starts = [shown.index(f" {action.id} ", shown.index("What is proposed")) for action in VIEW.actions]
    for action, start in zip(VIEW.actions, starts, strict=True):
        card = shown[start : next((other for other in sorted(starts) if other > start), None)]
        for line in action_lines(action):
            texts = [piece.text for piece in line.pieces if piece.text != TO]
            assert [text for text in texts if _plain(text) not in card] == [], line
    for line in (*PlanHead.of(VIEW).lines(), *left_alone_lines(VIEW)):
        assert _plain(line.text) in shown, line


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _rendered(page: str) -> str:
    """What a reader of the page sees."""
    said = re.sub(r"</?(code|strong|span|b|del|ins)\b[^>]*>", "", page.partition("</head>")[2])
    return _plain(html.unescape(re.sub(r"<[^>]+>", " ", said)))


@pytest.mark.parametrize("where", ["waiting", "ended"])
async def test_text_of_records_and_models_runs_nothing_links_nothing_and_breaks_no_layout(
    browser: Browser, tmp_path: Path, where: str
) -> None:
    repairs = _hostile() if where == "waiting" else Standing(ended_repair(20), a_plan(20))
    async with browsing(browser, standing_app(tmp_path, repairs), viewport={"width": 390, "height": 844}) as context:
        page = await context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"/repairs/{repairs.now.repair_id}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
        links = await page.eval_on_selector_all("main a", "all => all.map((each) => each.getAttribute('href'))")
        # What the page says of its own closing is not asked here.
        heard = tuple(said)
    assert all(link.startswith("/repairs") for link in links)
    assert all(url.startswith(URL) for url in asked)
    assert not [line for line in heard if "events" not in line and "status of" not in line and "ERR_" not in line]


def _hostile() -> Standing:
    """A plan in which every injection of the corpus stands wherever text may."""
    plan = a_plan(60)
    texts = [text for payload in PAYLOADS for _, text in payload.parts]
    assert len(texts) > len(plan.actions)
    look = waiting_repair(60)
    assert look.plan is not None
    actions = tuple(
        action.model_copy(
            update={
                "title": texts[3 * place % len(texts)],
                "problems": (texts[(3 * place + 1) % len(texts)],),
                "evidence": (texts[(3 * place + 2) % len(texts)],),
                "rationale": texts[(3 * place + 1) % len(texts)],
                "doubts": (texts[3 * place % len(texts)],),
            }
        )
        for place, action in enumerate(look.plan.actions)
    )
    shown = look.plan.model_copy(update={"actions": actions, "additional_notes": "\n".join(texts)[:3000]})
    return Standing(look.model_copy(update={"plan": shown}), plan)


def _told(number: int) -> ProposedAction:
    """One of many alike, with what changes and what is to be known beside that."""
    action, own = proposed(number), f"orders/ORD-{number:03}"
    beside = (
        Change(record=own, field="kept", before="the payment", after="the payment"),
        Change(record=own, field="letter", before="", after=f"to {number}"),
    )
    return action.model_copy(update={"preview": (*action.preview, *beside)})


async def test_a_group_tells_a_change_of_all_once_and_shows_nothing_as_taken_away_that_stays(tmp_path: Path) -> None:
    plan = plan_of(*map(_told, range(1, 4)))
    repairs = Standing(waiting(plan, waiting_repair(2, hostile=False)), plan)
    async with _client(tmp_path, repairs) as client:
        page = (await client.get(f"/repairs/{repairs.now.repair_id}")).text

    rows = re.findall(r"<div><dt>(.*?)</dt>(.*?)</div>", page.partition('<dl class="diff">')[2], re.DOTALL)
    assert [row for row in rows if "class=" in row[1]] == [
        ("status", '<dd class="before"><del>unpaid</del></dd><dd class="after"><ins>reminded</ins></dd>'),
        ("kept", '<dd class="same">the payment</dd>'),
        *(("letter", f'<dd class="after only"><ins>to {number}</ins></dd>') for number in (1, 2, 3)),
    ]


async def test_one_action_alone_is_approved_or_rejected_as_it(tmp_path: Path) -> None:
    plan = plan_of(proposed(1))
    repairs = Standing(waiting(plan, waiting_repair(2, hostile=False)), plan)
    async with _client(tmp_path, repairs) as client:
        page = (await client.get(f"/repairs/{repairs.now.repair_id}")).text
    assert ">Approve it</button>" in page
    assert ">Reject it</button>" in page
    assert "<dt>status</dt>" in page, "whose it is, its heading says"
