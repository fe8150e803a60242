"""Two homes with one database are one installation: what one keeps, the other finds, and neither looks at its disk."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import update

from daper.adapters.reports.archive import kept_here
from daper.adapters.state import StatePlace
from daper.adapters.transcripts import rows as transcript_rows
from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import NotFound, SettingError, StoreDamaged, UserError
from daper.core.usage import Role, Spent
from daper.entrypoints.cli.story import result_lines
from daper.entrypoints.http import Address
from daper.entrypoints.mcp.form_states import sealed_by
from daper.entrypoints.mcp.http import serve_http
from daper.ports import Caps, KeptAnswer, Transcript
from daper.settings import load_settings
from daper.stores.sql.state_schema import FACTS, REPORTS, TOKENS
from tests.contract.kept_state import KeptState, new_state
from tests.contract.remembering import claim_of
from tests.contract.test_spending import call_of
from tests.postgresql import PASSWORD
from tests.unit.sized_repairs import ended_repair

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


@pytest.fixture
def kept(state_url: str, tmp_path: Path) -> KeptState:
    return new_state(tmp_path / "one", state_url)


@pytest.fixture
def one(kept: KeptState) -> StatePlace:
    return kept.place


@pytest.fixture
def other(one: StatePlace, tmp_path: Path) -> StatePlace:
    return StatePlace(home=tmp_path / "other", database_url=one.database_url)


@pytest.fixture(autouse=True)
def nothing_on_a_disk(one: StatePlace, other: StatePlace) -> Iterator[None]:
    yield
    assert not one.home.exists()
    assert not other.home.exists()
    assert PASSWORD not in repr(one)


async def test_a_claim_and_what_was_spent_count_for_the_other_home(one: StatePlace, other: StatePlace) -> None:
    until = utc_now() + timedelta(hours=1)

    assert (await one.memory().claim(claim_of("r1", until=until))).fresh
    assert not (await other.memory().claim(claim_of("r2", until=until))).fresh
    await one.spending().reserve(call_of("a"), Caps())
    assert (await other.spending().of_cycle("cycle-1")).total.tokens == 1000


async def test_a_report_is_read_in_the_other_home_and_says_where_it_is(one: StatePlace, other: StatePlace) -> None:
    result = ended_repair(3)
    paths = await one.reports().write(result)
    await one.reports().write(result)

    read = await other.reports().read(result.repair_id)

    assert read is not None
    assert read == result.model_copy(update={"paths": paths})
    assert await other.reports().newest(5) == (read,)
    assert await other.reports().read("another") is None
    assert kept_here(read) is None
    said = [line for line in result_lines(read) if line.startswith("Report: ")]
    assert said == [
        f"Report: in {one.database().named}; to have it here: daper repair report {result.repair_id} --output report.md"
    ]
    kept = await other.reports().answer(result.repair_id)
    assert kept == KeptAnswer(asked_id=result.repair_id, asked=result.asked, repair_id=result.repair_id, begun=True)


async def test_the_newest_reports_come_first_and_one_that_cannot_be_read_hides_no_other(
    kept: KeptState, one: StatePlace, other: StatePlace
) -> None:
    results = [ended_repair(1).model_copy(update={"repair_id": f"repair-{number}"}) for number in range(4)]
    for result in results:
        await one.reports().write(result)
    for repair_id, data in (("repair-1", b"no report"), ("repair-2", None)):
        with kept.open().transaction() as db:
            found = db.execute(REPORTS.select().where(REPORTS.c.repair_id == "repair-0")).one().result
            db.execute(update(REPORTS).where(REPORTS.c.repair_id == repair_id).values(result=data or found))

    assert [each.repair_id for each in await other.reports().newest(2)] == ["repair-3", "repair-0"]
    for number in (1, 2):
        with pytest.raises(StoreDamaged, match=f"repair-{number}"):
            await other.reports().read(f"repair-{number}")


def test_the_first_key_of_forms_stands_and_the_other_home_opens_what_it_sealed(
    kept: KeptState, one: StatePlace, other: StatePlace
) -> None:
    assert one.form_key().read() is None
    key = one.form_key().for_a_server()

    assert other.form_key().for_a_server() == key == one.form_key().read_or_make()
    sealed, opens = sealed_by(key), sealed_by(other.form_key().read())
    assert opens.codec is not None
    assert sealed.codec is not None
    assert opens.codec.unseal(sealed.codec.seal(b"a form")) == b"a form"
    with kept.open().transaction() as db:
        db.execute(update(FACTS).values(value="no key"))
    with pytest.raises(StoreDamaged, match="does not hold the key of forms"):
        other.form_key().read()
    assert len(other.form_key().for_a_server()) == 32


def test_tokens_are_those_of_both_homes(kept: KeptState, one: StatePlace, other: StatePlace) -> None:
    assert not other.tokens().in_use
    token = one.tokens().add("Luna", {Access.READ, Access.START})
    with pytest.raises(UserError, match="'Luna' has a token already"):
        other.tokens().add("Luna", {Access.READ})

    grant = other.tokens().find(token)
    assert grant is not None
    assert (grant.name, grant.scopes) == ("Luna", {Access.READ, Access.START})
    assert other.tokens().find("daper_guessed") is None
    assert token not in str(kept.rows(TOKENS))
    other.tokens().remove("Luna")
    assert one.tokens().find(token) is None
    assert one.tokens().in_use, "nobody comes in without one from now on"
    with pytest.raises(NotFound, match="who has: nobody"):
        one.tokens().remove("Luna")


def test_a_home_with_a_file_of_tokens_lets_nobody_in_without_one(one: StatePlace, tmp_path: Path) -> None:
    there = StatePlace(home=tmp_path / "third", database_url=one.database_url)
    there.home.mkdir()
    (there.home / "mcp-tokens.json").write_text("[]")

    assert there.tokens().in_use
    assert there.tokens().grants() == ()


@asynccontextmanager
async def served(place: StatePlace, tmp_path: Path) -> AsyncGenerator[str]:
    settings = load_settings(
        environ={"DAPER_HOME": str(place.home), "DAPER_DATABASE_URL": place.database_url or ""}, folder=tmp_path
    )
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_http(
            settings,
            Address(host="127.0.0.1", port=0),
            settings.state.tokens(),
            read_only=False,
            ready=lambda url, guarded: told.set_result(url),
        )
    )
    await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield told.result() if told.done() else str(await serving)
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def test_a_token_of_one_home_opens_the_server_of_the_other_until_it_is_removed(
    one: StatePlace, other: StatePlace, tmp_path: Path
) -> None:
    token = await asyncio.to_thread(one.tokens().add, "Luna", {Access.READ})
    async with served(other, tmp_path) as url, httpx2.AsyncClient() as client:

        async def status_for(bearer: str) -> int:
            headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json, text/event-stream"}
            return (await client.post(url, json=HELLO, headers=headers)).status_code

        assert [await status_for(token), await status_for("daper_guessed")] == [200, 401]
        await asyncio.to_thread(one.tokens().remove, "Luna")
        assert await status_for(token) == 401


def transcript(number: int, repair_id: str = "r1", sent: str = "hello") -> Transcript:
    return Transcript(
        call_id=f"{number:08}",
        repair_id=repair_id,
        cycle_id="c",
        role=Role.PLAN,
        model="gpt-9",
        record_ids=("ORD-1",),
        began=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=number),
        took=timedelta(seconds=1),
        prompt_digest="d",
        sent=sent,
        answer="yes",
        error="",
        spent=Spent(calls=1, input_tokens=1, output_tokens=1, cost=Decimal(0)),
    )


async def test_transcripts_are_read_in_the_other_home_in_their_order_without_secrets(
    kept: KeptState, one: StatePlace, other: StatePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript_rows, "MOST_CALLS", 3)
    monkeypatch.setattr(transcript_rows, "MOST_REPAIRS", 2)
    ours = one.transcripts(secrets=["my-secret-key"])
    for number in (2, 1, 1, 3, 4):
        await ours.write(transcript(number, sent="it is my-secret-key, and \0"))
    for repair_id in ("r2", "r3"):
        await ours.write(transcript(1, repair_id))

    assert [await other.transcripts().names(each) for each in ("r1", "unknown")] == [(), ()], "the oldest is gone"
    assert len(await other.transcripts().names("r3")) == 1
    for number in (2, 1, 1, 3, 4):
        await ours.write(transcript(number, "r3", sent="it is my-secret-key, and \0"))
    names = await other.transcripts().names("r3")
    assert [name.partition("-")[0] for name in names] == [
        "20260301T000001.000000",
        "20260301T000002.000000",
        "20260301T000003.000000",
        "1000",
    ]
    text = await other.transcripts().read("r3", names[0])
    assert text is not None
    assert b"my-secret-key" not in text
    assert b'"record_ids"' in text
    assert await other.transcripts().read("r3", "another") is None
    kept.change("UPDATE daper_transcripts SET document = 'x'")
    with pytest.raises(StoreDamaged, match="cannot be read"):
        await other.transcripts().read("r3", names[0])


async def test_a_database_that_is_away_stops_no_call_for_its_transcript(
    tmp_path: Path, one: StatePlace, caplog: pytest.LogCaptureFixture
) -> None:
    away = StatePlace(home=tmp_path / "away", database_url=f"postgresql://daper:{PASSWORD}@127.0.0.1:1/daper")

    await away.transcripts(secrets=()).write(transcript(1))

    assert "a call of a language model is not written down" in caplog.text
    assert PASSWORD not in caplog.text


def test_an_address_that_is_none_is_never_taken_for_the_files_of_the_home(tmp_path: Path) -> None:
    settings = load_settings(
        needs=(), environ={"DAPER_HOME": str(tmp_path / "home"), "DAPER_DATABASE_URL": "mysql://x/y"}, folder=tmp_path
    )

    with pytest.raises(SettingError, match="DAPER_DATABASE_URL"):
        _ = settings.state
