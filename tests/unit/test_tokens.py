"""Access tokens: told once, kept as a hash, gone at once."""

import json
import threading
from pathlib import Path

import pytest

from daper.adapters.tokens.files import TokenFile
from daper.clock import utc_now
from daper.core.access import Access
from daper.core.errors import NotFound, StoreDamaged, UserError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "mcp-tokens.json"


def _file(path: Path) -> TokenFile:
    return TokenFile(path, now=utc_now)


def test_a_token_is_found_by_its_text_and_kept_as_a_hash(path: Path) -> None:
    token = _file(path).add("Luna", {Access.READ, Access.START})
    grant = _file(path).find(token)
    assert grant is not None
    assert (grant.name, grant.scopes) == ("Luna", {Access.READ, Access.START})
    assert token not in path.read_text()
    assert _file(path).find(token + "x") is None
    assert _file(path).find("") is None
    assert _file(path).find("\ud800") is None


def test_a_change_counts_at_once_in_another_process(path: Path) -> None:
    running, command = _file(path), _file(path)
    token = command.add("Luna", {Access.READ})
    assert running.find(token) is not None
    command.remove("Luna")
    assert running.find(token) is None
    again = command.add("Luna", {Access.READ, Access.APPROVE})
    assert running.find(token) is None
    assert running.find(again) is not None


def test_after_the_last_token_nobody_comes_in_without_one(path: Path) -> None:
    file = _file(path)
    assert not file.in_use
    file.add("Luna", {Access.READ})
    file.remove("Luna")
    assert (file.in_use, file.grants()) == (True, ())


def test_a_name_has_one_token(path: Path) -> None:
    _file(path).add("Luna", {Access.READ})
    with pytest.raises(UserError, match="'Luna' has a token already"):
        _file(path).add("Luna", {Access.READ})
    with pytest.raises(NotFound, match="'Draco' has no token; who has: 'Luna'"):
        _file(path).remove("Draco")


def test_nobody_else_may_read_it_whatever_it_was_before(path: Path) -> None:
    _file(path).add("Luna", {Access.READ})
    path.chmod(0o644)
    _file(path).add("Ginny", {Access.READ})
    modes = {each.name: oct(each.stat().st_mode & 0o777) for each in path.parent.iterdir()}
    assert modes == {"mcp-tokens.json": "0o600", "mcp-tokens.json.lock": "0o600"}


def test_many_at_once_lose_none(path: Path) -> None:
    adding = [threading.Thread(target=_file(path).add, args=(f"p{n}", {Access.READ})) for n in range(20)]
    for thread in adding:
        thread.start()
    for thread in adding:
        thread.join()
    assert len(_file(path).grants()) == 20


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"name": "Luna"}]', "\x00", json.dumps([{"name": "L", "scopes": ["all"]}])]
)
def test_a_damaged_file_is_named_and_lets_nobody_in(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    for call in (lambda: _file(path).find("daper_x"), lambda: _file(path).add("Luna", {Access.READ})):
        with pytest.raises(StoreDamaged, match="does not hold tokens"):
            call()
    assert path.read_text() == text
