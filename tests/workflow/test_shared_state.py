"""A worker of one home, and a person in another: with one database they are one installation."""

from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from daper.adapters.reports.archive import kept_here
from daper.bootstrap import databases_of
from daper.core.phases import Phase
from daper.stores.sql.postgresql_database import disconnect
from daper.stores.sql.upgrading import upgrade
from tests.postgresql import PostgresqlServer
from tests.workflow.shop import Shop, open_shop

ONE = {"record_ids": ["ORD-002-HJG"]}


async def test_what_a_worker_of_one_home_did_is_known_in_another_without_its_disk(
    temporal_env: WorkflowEnvironment, tmp_path: Path, postgresql: PostgresqlServer
) -> None:
    environ = {"DAPER_DATABASE_URL": postgresql.empty()}
    here, there = (tmp_path / name for name in ("here", "there"))
    for home in (here, there):
        home.mkdir()
    away = Shop(temporal_env, there, domains=None, indexed=True, environ=environ)
    for database in databases_of(away.settings, away.domains.values()):
        upgrade(database)
    async with open_shop(temporal_env, here, environ=environ) as shop:
        repair_id = await shop.start(scope=ONE)
        await shop.decide(repair_id, await shop.plan(repair_id))
        ended = await shop.end(repair_id)
        assert ended.phase is Phase.REPORT_COMPLETED

    read = await away.reports.read(repair_id)

    assert read is not None
    assert (read.outcomes, kept_here(read)) == (ended.outcomes, None)
    assert read.paths is not None
    assert read.paths.kept_in.startswith("the database 'empty_")
    assert repair_id in {each.repair_id for each in await away.service.list(limit=10_000)}
    left = [path for home in (here, there) for path in home.rglob("*") if path.is_file()]
    assert left == [], "nothing of it is on a disk"
    disconnect()
