"""A file of settings that is there and cannot be used is refused by name, and never taken for absent."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from command_tree import ALL_COMMANDS

from daper.adapters.regular_file import is_there, read_if_there
from daper.adapters.tokens.files import TokenFile
from daper.clock import utc_now
from daper.core.errors import SettingError, StoreDamaged
from daper.entrypoints.cli.app import run
from daper.entrypoints.http import Address
from daper.entrypoints.mcp.http import serve_http
from daper.settings import load_settings

Make = Callable[[Path], object]


def folder(path: Path) -> None:
    path.mkdir()


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def circle(path: Path) -> None:
    path.symlink_to(path)


def a_file(path: Path) -> None:
    path.write_text("")


def not_text(path: Path) -> None:
    path.write_bytes(b"a = '\xff\xfe'\n")


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        os.chdir(path.parent)  # such names are short
        made.bind(path.name)


def nothing_read(path: Path) -> None:
    path.symlink_to("/dev/null")


INSTEAD: dict[str, tuple[Make, str]] = {
    "a folder": (folder, "it is a folder"),
    "a link that leads nowhere": (dangling, "it is a link that leads nowhere"),
    "a circle of links": (circle, "symbolic links"),
    "a pipe": (os.mkfifo, "it is a pipe, and no file"),
    "a socket": (listening, "it is a socket, and no file"),
    "a device": (nothing_read, "it is a device, and no file"),
    "no text": (not_text, "not UTF-8 text"),
}
PLACES = {
    ".env": "work/.env",
    "policy.toml": "home/policy.toml",
    "people.toml": "home/people.toml",
    "temporal.toml": "config/temporalio/temporal.toml",
}
NAMED = {"DAPER_POLICY": "x.toml", "DAPER_PEOPLE": "x.toml", "TEMPORAL_CONFIG_FILE": "x.toml"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("work", "home", "config/temporalio"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    for name, value in environ(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def environ(root: Path) -> dict[str, str]:
    return {"HOME": str(root), "DAPER_HOME": str(root / "home"), "XDG_CONFIG_HOME": str(root / "config")}


def refusal(root: Path, **variables: str) -> str:
    with pytest.raises(SettingError) as refused:
        load_settings(environ=environ(root) | variables, folder=root / "work")
    return str(refused.value)


@pytest.mark.parametrize("instead", INSTEAD)
@pytest.mark.parametrize("place", PLACES)
def test_a10_what_is_there_instead_of_a_file_is_refused_by_name_with_the_way_out(
    place: str, instead: str, root: Path
) -> None:
    make, why = INSTEAD[instead]
    path = root / PLACES[place]
    make(path)

    said = refusal(root)

    assert str(path) in said
    assert why in said.replace("is not UTF-8", "not UTF-8")
    assert "mend" in said or "save it" in said


@pytest.mark.parametrize("instead", INSTEAD)
@pytest.mark.parametrize("name", NAMED)
def test_a10_so_is_a_file_that_a_variable_names(name: str, instead: str, root: Path) -> None:
    make, why = INSTEAD[instead]
    path = root / "x.toml"
    make(path)

    assert why in refusal(root, **{name: str(path)}).replace("is not UTF-8", "not UTF-8")


@pytest.mark.parametrize("name", NAMED)
def test_a10_a_file_that_is_named_and_not_there_is_refused(name: str, root: Path) -> None:
    said = refusal(root, **{name: str(root / "gone.toml")})

    assert "gone.toml" in said
    assert "o such file" in said


def test_a10_what_may_not_be_read_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "home/policy.toml").write_text("")

    def may_not(path: object, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("daper.adapters.regular_file.os.open", may_not)
    (root / "work/.env").write_text("")

    assert refusal(root).endswith(".env': Permission denied; mend the file or remove it")


def test_a10_a_folder_into_which_nobody_may_look_hides_no_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def may_not(self: Path) -> os.stat_result:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "lstat", may_not)

    assert is_there(root / "home/policy.toml")


def test_a10_nothing_at_all_is_absent(root: Path) -> None:
    (root / "file").write_text("")

    assert read_if_there(root / "nothing") is None
    assert read_if_there(root / "file/below") is None
    assert not is_there(root / "file/below")
    assert load_settings(environ=environ(root), folder=root / "work").troubles == {}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (a_file, "Not a directory"),
        (dangling, "it is a link that leads nowhere"),
        (circle, "symbolic links"),
    ],
)
def test_a10_a_home_that_is_no_folder_is_refused_by_name(make: Make, why: str, root: Path) -> None:
    make(root / "other")

    said = refusal(root, DAPER_HOME=str(root / "other"))

    assert said.startswith(f"DAPER_HOME is '{root / 'other'}', and that is no folder that can be used: ")
    assert why in said


def test_a10_a_line_of_dotenv_that_says_nothing_is_refused_by_number_and_not_shown(root: Path) -> None:
    (root / "work/.env").write_text("# mine\n\nUSER_NAME=Luna\nLLM_KEY planted\n")

    said = refusal(root)

    assert "/.env', line 4, does not read as NAME=VALUE (not shown)" in said
    assert "planted" not in said


@pytest.mark.parametrize("instead", ["a folder", "a pipe"])
def test_a10_server_json_that_cannot_be_read_is_named_and_not_taken_for_no_server(instead: str, root: Path) -> None:
    INSTEAD[instead][0](root / "home/server.json")

    assert "server.json': it is a " in refusal(root)


@pytest.mark.parametrize("toml", ["[[[", "\x00", "[profile.default]\napi_key = planted\n"])
def test_a10_a_profile_file_that_is_no_toml_is_refused_and_not_shown(toml: str, root: Path) -> None:
    (root / "config/temporalio/temporal.toml").write_text(toml)

    said = refusal(root)

    assert "temporal.toml' is not TOML" in said
    assert "planted" not in said


# What needs no settings file, and what never reads it.
WITHOUT = {"demo", "policy check", "records mapping list", "records mapping new", "records mapping show"}


@pytest.mark.parametrize("line", sorted(set(ALL_COMMANDS) - WITHOUT))
def test_a10_every_command_refuses_a_dotenv_that_cannot_be_read(
    line: str, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "work/.env").mkdir()
    more = {
        "domain check": "mine.toml",
        "domain init": "mine",
        "domain new": "mine",
        "domain show": "mine",
        "domain test": "mine.toml",
        "records copy": "--to sqlite",
        "records show": "x",
        "records tell": "x paid",
        "people test": "x",
        "mcp config": "goose",
        "mcp token add": "x",
        "mcp token remove": "x",
        "records recover": "--finish",
        "repair approve": "r --plan d",
        "repair reject": "r --plan d",
    }.get(
        line, "r" if line.startswith("repair") and line.split()[1] in {"show", "stop", "report", "transcripts"} else ""
    )
    if line == "mcp":
        more = "--http --port 0"

    code = run([*line.split(), *more.split()])

    shown = capsys.readouterr()
    assert code == (1 if line == "doctor" else 2)
    assert ".env': it is a folder; mend the file or remove it" in shown.out + shown.err


@pytest.mark.parametrize("instead", [name for name in INSTEAD if name != "a device"])
def test_a10_tokens_that_cannot_be_read_let_nobody_in_and_are_named(instead: str, root: Path) -> None:
    path = root / "home/mcp-tokens.json"
    INSTEAD[instead][0](path)
    tokens = TokenFile(path, now=utc_now)

    assert tokens.in_use
    with pytest.raises(StoreDamaged, match=r"mcp-tokens\.json"):
        tokens.find("daper_x")


def nobody_is_served(url: str, guarded: bool) -> None:
    raise AssertionError(f"serves at {url}")


async def test_a10_no_server_begins_over_http_with_tokens_that_cannot_be_read(root: Path) -> None:
    path = root / "home/mcp-tokens.json"
    dangling(path)
    settings = load_settings(environ=environ(root), folder=root / "work")

    with pytest.raises(StoreDamaged, match=r"mcp-tokens\.json' cannot be read: it is a link that leads nowhere"):
        await serve_http(
            settings,
            Address(host="127.0.0.1", port=0),
            TokenFile(path, now=utc_now),
            read_only=False,
            ready=nobody_is_served,
        )
