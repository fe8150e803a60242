"""The key that seals the forms of chat clients: made once, its owner's alone, and never in the way of a server."""

import os
import stat
import threading
from pathlib import Path

import pytest

from daper.adapters.form_key import FORM_KEY, FormKeyFile
from daper.core.errors import StoreDamaged


@pytest.fixture
def key(tmp_path: Path) -> FormKeyFile:
    return FormKeyFile(tmp_path / "home" / FORM_KEY)


def test_d3_the_key_is_made_once_and_its_owner_alone_can_read_it(tmp_path: Path, key: FormKeyFile) -> None:
    assert key.read() is None
    made = key.read_or_make()
    assert len(made) == 32
    assert (key.read(), key.read_or_make(), key.for_a_server()) == (made, made, made)
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "home").iterdir()}
    assert modes == {FORM_KEY: "0o600", f"{FORM_KEY}.lock": "0o600"}


def test_d3_servers_that_begin_at_once_get_the_same_key(tmp_path: Path) -> None:
    made, together = list[bytes](), threading.Barrier(8)

    def begin() -> None:
        together.wait()
        made.append(FormKeyFile(tmp_path / FORM_KEY).read_or_make())

    servers = [threading.Thread(target=begin) for _ in range(8)]
    for server in servers:
        server.start()
    for server in servers:
        server.join()
    assert len(made) == 8
    assert len(set(made)) == 1


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff" * 64, b"zz" * 32, b"ab" * 31, b"ab" * 33])
def test_d3_a_damaged_key_is_left_alone_and_a_server_has_one_of_its_own(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / FORM_KEY
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match="does not hold a key as daper writes it; mend that, or remove it"):
        FormKeyFile(path).read()
    ours, others = FormKeyFile(path).for_a_server(), FormKeyFile(path).for_a_server()
    assert ours != others
    assert len(ours) == 32
    assert path.read_bytes() == content
    assert "forms do not outlive this server" in caplog.text
    assert str(path) in caplog.text


@pytest.mark.parametrize("there", ["a folder", "a link that leads nowhere", "a home that is a file"])
def test_d3_where_no_key_can_be_kept_a_server_has_one_of_its_own(
    tmp_path: Path, there: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / FORM_KEY
    if there == "a folder":
        path.mkdir()
    elif there == "a link that leads nowhere":
        os.symlink(tmp_path / "elsewhere" / "key", path)
    else:
        (tmp_path / "home").write_text("")
        path = tmp_path / "home" / FORM_KEY
    assert len(FormKeyFile(path).for_a_server()) == 32
    assert "forms do not outlive this server" in caplog.text
