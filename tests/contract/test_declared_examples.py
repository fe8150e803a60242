"""The shipped domains in a file: whole on every kind of database, and their cases are true of their rows."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from daper.core.errors import UserError
from daper.core.models import Scope
from daper.core.outcomes import Holding, OutcomeStatus
from daper.domains.declared.cases import try_cases
from daper.domains.declared.checking import Check
from daper.domains.declared.domain import DeclaredDomain
from daper.domains.declared.examples import EXAMPLES, example_variable, expected, place_example
from daper.domains.declared.reading import read_file
from daper.domains.declared.record import DeclaredRecord
from daper.ports import Evaluable, ToolCall
from daper.stores.rows.engine import disconnect
from daper.stores.rows.values import typed
from tests.declared_examples import seed_of
from tests.declared_shop import KINDS, database_in, set_tool
from tests.postgresql import PostgresqlServer

NOW = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, str]]:
    engine, url = database_in(request.param, tmp_path, request)
    yield engine, url
    engine.dispose()
    disconnect()


@pytest.mark.parametrize("name", EXAMPLES)
async def test_a_shipped_file_is_without_fault_and_its_cases_are_its_rows(
    place: tuple[Engine, str], tmp_path: Path, name: str
) -> None:
    engine, url = place
    with engine.begin() as db:
        if "mariadb" in url:
            db.exec_driver_sql("SET time_zone = '+00:00'")
        for statement in seed_of(name, "mariadb" if "mariadb" in url else ""):
            db.exec_driver_sql(statement)
    file = read_file(place_example(name, tmp_path))
    variables = {example_variable(name): url}
    look = Check(file, variables=variables.get, now=NOW).run()
    assert look.faults == []
    assert not [doubt for doubt in look.doubts if "was not tried" in doubt]
    assert [each.amiss for each in try_cases(file, now=NOW)] == [()] * len(file.document.case)

    domain = DeclaredDomain(file.path, variables=variables.get)
    found = domain.detect((await domain.scan(Scope())).records, NOW)
    right = {case.record_id: set(case.problems) for case in expected(file.document).cases}
    for record_id, kinds in right.items():
        assert {each.kind for each in found if each.record_id == record_id} == kinds, record_id
    assert {each.record_id for each in found} <= {*right}
    types = file.document.records.types
    for case in file.document.case:
        [record] = await domain.context([str(case.row["id"])])
        assert isinstance(record, DeclaredRecord)
        for column, value in case.row.items():
            assert record.columns[column] == typed(value, types.get(column)), (case.name, column)


async def test_an_evaluation_fills_a_new_database_of_a_shipped_file_and_no_other(tmp_path: Path) -> None:
    path = place_example("payments", tmp_path)
    domain = DeclaredDomain(path, variables={"PAYMENTS_URL": f"sqlite:///{tmp_path / 'new.db'}"}.get)
    assert isinstance(domain, Evaluable)
    with pytest.raises(UserError, match="there is no kind of case 'odd'"):
        await domain.install_cases(seed=1, kinds=["odd"])
    assert not (tmp_path / "new.db").exists()
    assert len((await domain.install_cases(seed=1)).cases) == 7
    with pytest.raises(UserError, match="is there already"):
        await domain.install_cases(seed=1)
    path.write_text(path.read_text("utf-8").replace("Failed payments", "Our payments"), encoding="utf-8")
    (tmp_path / "new.db").unlink()
    with pytest.raises(UserError, match="rows of your own database, which an evaluation would change"):
        await domain.install_cases(seed=1)
    assert not (tmp_path / "new.db").exists()


async def test_jobs_are_put_back_cancelled_and_held_with_the_types_of_their_queue(
    tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    url = postgresql.empty()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as db:
        for statement in (
            "CREATE TYPE job_status AS ENUM"
            " ('todo', 'doing', 'succeeded', 'failed', 'cancelled', 'aborting', 'aborted')",
            "CREATE TYPE event_type AS ENUM ('deferred', 'started', 'failed', 'succeeded', 'cancelled', 'aborted')",
            "CREATE TABLE procrastinate_jobs (id BIGSERIAL PRIMARY KEY,"
            " queue_name VARCHAR(128) NOT NULL DEFAULT 'owls',"
            " task_name VARCHAR(128) NOT NULL DEFAULT 'send_letter', priority INTEGER NOT NULL DEFAULT 0, lock TEXT,"
            " args JSONB NOT NULL DEFAULT '{}', status job_status NOT NULL DEFAULT 'todo', scheduled_at TIMESTAMPTZ,"
            " attempts INTEGER NOT NULL DEFAULT 0)",
            "CREATE TABLE procrastinate_events (id BIGSERIAL PRIMARY KEY, job_id BIGINT NOT NULL, type event_type,"
            " at TIMESTAMPTZ DEFAULT now())",
            "INSERT INTO procrastinate_jobs (status, attempts) VALUES ('failed', 1), ('failed', 7)",
            "INSERT INTO procrastinate_jobs (queue_name) VALUES ('trolley')",
            "INSERT INTO procrastinate_events (job_id, type, at) VALUES (1, 'started', now() - INTERVAL '1 day')",
        ):
            db.exec_driver_sql(statement)
    path = place_example("jobs", tmp_path)
    variables = {"JOBS_URL": url}
    look = Check(read_file(path), variables=variables.get, now=NOW).run()
    assert (look.faults, [each for each in look.doubts if "was not tried" in each]) == ([], [])
    domain = DeclaredDomain(path, variables=variables.get)
    domain.now().store.init()
    records = (await domain.scan(Scope())).records
    for proposal in domain.propose(domain.detect(records, NOW), records).proposals:
        terms = domain.terms(proposal, records)
        call = ToolCall(
            key=proposal.record_id, record_id=proposal.record_id, arguments={}, expected=terms.reads, today=NOW
        )
        tool = set_tool(domain, proposal.tool)
        effect = await tool.apply(call)
        assert effect.status is OutcomeStatus.APPLIED, effect.evidence
        seen = Holding.WAITING if proposal.tool == "put_back" else Holding.YES
        assert (await tool.holds(call, effect)).holding is seen
        if proposal.tool == "hold_job":
            assert (await tool.undo(call, effect, key="undo")).status is OutcomeStatus.UNDONE
    with engine.begin() as db:
        found = db.exec_driver_sql("SELECT id, status, scheduled_at FROM procrastinate_jobs ORDER BY id").all()
    assert [tuple(row) for row in found] == [(1, "todo", None), (2, "cancelled", None), (3, "todo", None)]
    engine.dispose()
    disconnect()
