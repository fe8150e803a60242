"""What a person may name as a file to import: plain files of a sane size, and nothing that makes the import wait."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from daper.domains.orders.importing.intake import LARGEST_FILE, NotReadable, read_whole


def missing(path: Path) -> Path:
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def listening(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))
    return path


def loop(path: Path) -> Path:
    path.symlink_to(path)
    return path


def dead_link(path: Path) -> Path:
    path.symlink_to(path.with_name("nowhere"))
    return path


def within_a_file(path: Path) -> Path:
    path.write_text("[]")
    return path / "orders.json"


def sparse(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    return path


def endless(_: Path) -> Path:
    return Path("/dev/zero")


def never_the_size_it_says(_: Path) -> Path:
    return Path("/proc/self/status")


def link_to_a_device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def no_name(path: Path) -> Path:
    return path / "a\x00b"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (missing, "does not exist"),
        (dead_link, "does not exist"),
        (folder, "is a folder; name a file in it"),
        (pipe, "is a pipe; write what comes out of it to a file first"),
        (listening, "cannot be read: No such device or address"),
        (endless, "is a device; name a file"),
        (link_to_a_device, "is a device; name a file"),
        (loop, "cannot be read: Too many levels of symbolic links"),
        (within_a_file, "cannot be read: Not a directory"),
        (no_name, "cannot be read: embedded null byte"),
        (sparse, f"has {LARGEST_FILE + 1:,} bytes; at most {LARGEST_FILE:,} can be imported"),
        (never_the_size_it_says, "was written to while it was read. Try again once that is done"),
    ],
)
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], Path], why: str) -> None:
    with pytest.raises(NotReadable) as refused:
        read_whole(make(tmp_path / "x"))

    assert str(refused.value) == why


def test_a_plain_file_and_a_link_to_one_are_read_whole(tmp_path: Path) -> None:
    path, link = tmp_path / "orders.json", tmp_path / "link.json"
    path.write_bytes(b"[]" * 100_000)
    link.symlink_to(path)

    assert read_whole(path) == read_whole(link) == b"[]" * 100_000
