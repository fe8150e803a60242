"""DAPER_DATABASE_URL: where all is kept, without its password anywhere."""

import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from daper.core.errors import SettingError
from daper.entrypoints.cli.evaluation_command import _on_its_own  # pyright: ignore[reportPrivateUsage]
from daper.settings import Part, Settings, load_settings, shown_settings
from daper.settings.leads import leads_to_records
from daper.stores.sql import address
from daper.stores.sql.postgresql_database import PostgresqlDatabase

SECRET = "planted-3f9a"  # noqa: S105


def load(folder: Path, url: str, **more: object) -> Settings:
    environ = {"HOME": str(folder), "DAPER_HOME": str(folder), "DAPER_DATABASE_URL": url}
    return load_settings(environ=environ, folder=folder, **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://daper:{SECRET}@db.example:5432/shop",
        f"postgres://daper:{SECRET}@db.example/shop?sslmode=require",
        f"postgresql+psycopg://daper:{SECRET}%40%2F@[::1]:5432/shop",
        f"postgresql:///shop?host=/var/run/postgresql&user=daper&password={SECRET}",
        "postgresql://db.example/shop",
    ],
)
def test_an_address_is_taken_as_it_is_and_shown_without_its_password(url: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DAPER_DATABASE_URL={url}\n")
    settings = load_settings(environ={"HOME": str(tmp_path)}, folder=tmp_path)

    shown = next(row for row in shown_settings(environ={}, folder=tmp_path) if row.name == "DAPER_DATABASE_URL")

    assert settings.database_url == url
    assert "shop" in shown.value
    assert make_url(url).database == "shop"
    for said in (
        str(shown),
        repr(settings),
        PostgresqlDatabase(url, ()).named,
        repr(leads_to_records(settings, [shown])),
    ):
        assert SECRET not in said


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"mysql://daper:{SECRET}@db.example/shop", "it does not begin with postgresql://"),
        (f"daper:{SECRET}@db.example/shop", "it does not begin with postgresql://"),
        ("sqlite:////tmp/shop.db", "SQLite needs none"),
        (f"postgresql://daper:{SECRET}@more@db.example/shop", "@ is written %40"),
        (f"postgresql://daper:x#{SECRET}@db.example/shop", "@ is written %40, # %23"),
        (f"postgresql://daper:{SECRET}/more@db.example/shop", "/ in a password is not written %2F"),
        (f"postgresql://daper:x?{SECRET}@db.example/shop", "? %3F"),
        (f"postgresql://daper:{SECRET}", "its port is no number"),
        (f"postgresql://daper:{SECRET}@db.example:post/shop", "its port is no number"),
        (f"postgresql://daper:{SECRET}@db.example:0/shop", "its port is 0"),
        (f"postgresql://daper:{SECRET}@db.example", "it names no database"),
        (f"postgresql://daper:{SECRET}@db.example/", "it names no database"),
        (f"postgresql://daper:{SECRET}@db.example/a/b", "it names no database"),
        (f"postgresql://daper:{SECRET}@/shop", "it names no host"),
        (f"postgresql://daper:{SECRET} @db.example/shop", "it has blanks"),
        (f"postgresql://daper:{SECRET}\u202e@db.example/shop", "it has blanks or what cannot be seen"),
    ],
)
def test_a_wrong_address_says_what_is_wrong_and_never_its_password(url: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as refused:
        load(tmp_path, url)

    assert why in str(refused.value)
    assert "DAPER_DATABASE_URL is " in str(refused.value)
    assert SECRET not in str(refused.value)
    assert SECRET not in str(shown_settings(environ={"DAPER_DATABASE_URL": url}, folder=tmp_path))
    with pytest.raises(SettingError):
        PostgresqlDatabase(url, ())


def test_without_the_driver_it_says_which_extra_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr(address, "find_spec", nothing)

    with pytest.raises(SettingError, match=r"pip install 'daper\[postgresql\]'"):
        load(tmp_path, "postgresql://db.example/shop")


def test_without_one_nothing_of_databases_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from daper.settings import load_settings; load_settings();"
        "print([each for each in ('sqlalchemy', 'psycopg', 'alembic') if each in sys.modules])"
    )
    from subprocess import run

    done = run([sys.executable, "-c", code], cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_one_that_is_wrong_is_no_file_of_ones_own_instead(tmp_path: Path) -> None:
    settings = load(tmp_path, "mysql://nothing/at-all", needs=())

    assert settings.database_url is None
    with pytest.raises(SettingError, match="DAPER_DATABASE_URL"):
        settings.need(Part.DATABASE)


@pytest.mark.parametrize("url", ["postgresql://db.example/shop", "mysql://nothing/at-all"])
def test_an_evaluation_never_works_in_the_database(url: str, tmp_path: Path) -> None:
    own = _on_its_own(load(tmp_path, url, needs=()), tmp_path / "run", "127.0.0.1:1", 1)

    own.need(*Part)
    assert own.database_url is None
