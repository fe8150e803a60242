"""One table for what the system says: not supported here, refused for now, damaged, not allowed."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from daper.core.errors import StoreBusy, StoreDamaged, StoreError, StoreUnavailable
from daper.core.system_errors import Trouble, optional, said, store_error, trouble

FOR_NOW = ["ENOSPC", "EDQUOT", "EROFS", "EIO", "ESTALE", "EAGAIN", "EBUSY", "ETXTBSY", "EMFILE", "ENFILE", "ENOLCK"]


def of(name: str) -> OSError:
    code = getattr(errno, name)
    return OSError(code, os.strerror(code), "/records/orders.json")


def of_sqlite(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        *((of(name), Trouble.FOR_NOW) for name in FOR_NOW),
        *((of(name), Trouble.NOT_SUPPORTED) for name in ("EINVAL", "ENOTSUP", "ENOSYS")),
        *((of(name), Trouble.NOT_ALLOWED) for name in ("EACCES", "EPERM")),
        *((of(name), Trouble.DAMAGED) for name in ("EISDIR", "ENOTDIR", "ELOOP")),
        *((of(name), Trouble.OTHER) for name in ("ENOENT", "ENAMETOOLONG")),
        (of_sqlite(sqlite3.SQLITE_BUSY), Trouble.FOR_NOW),
        (of_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), Trouble.FOR_NOW),
        (of_sqlite(sqlite3.SQLITE_LOCKED), Trouble.FOR_NOW),
        (of_sqlite(sqlite3.SQLITE_FULL), Trouble.FOR_NOW),
        (of_sqlite(sqlite3.SQLITE_IOERR_WRITE), Trouble.FOR_NOW),
        (of_sqlite(sqlite3.SQLITE_READONLY_DIRECTORY), Trouble.FOR_NOW),
        (of_sqlite(sqlite3.SQLITE_CORRUPT), Trouble.DAMAGED),
        (of_sqlite(sqlite3.SQLITE_NOTADB), Trouble.DAMAGED),
        (of_sqlite(sqlite3.SQLITE_PERM), Trouble.NOT_ALLOWED),
        (of_sqlite(sqlite3.SQLITE_CANTOPEN), Trouble.OTHER),
        (ValueError("no error of the system"), Trouble.OTHER),
    ],
    ids=str,
)
def test_a3_what_an_error_of_the_system_means_is_said_in_one_place(error: Exception, meant: Trouble) -> None:
    assert trouble(error) is meant


@pytest.mark.parametrize("name", ["EPERM", "EACCES", "EINVAL", "ENOTSUP", "ENOSYS"])
def test_a1_what_a_file_system_may_lack_is_done_without(name: str) -> None:
    with optional():
        raise of(name)


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EROFS"])
def test_a1_a_disk_that_fails_does_not_pass_for_one_that_lacks_something(name: str) -> None:
    with pytest.raises(OSError, match="records"), optional():
        raise of(name)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (of("ENOSPC"), StoreUnavailable, "it: the disk is full (No space left on device); make room there"),
        (of("EROFS"), StoreUnavailable, "it: the disk is read-only (Read-only file system); make it writable"),
        (of("EIO"), StoreUnavailable, "it: the disk fails (Input/output error); look at that disk"),
        (
            of("ENOLCK"),
            StoreUnavailable,
            "it: its file system gives no locks now (No locks available); "
            "see that the lock service of that file system runs",
        ),
        (of("ENOENT"), StoreDamaged, "it cannot be used: it is gone (No such file or directory); bring it back"),
        (of("EACCES"), StoreError, "it cannot be used: it is not allowed (Permission denied); mend the rights"),
        (of("EISDIR"), StoreDamaged, "it is not what it must be: Is a directory; look what lies there"),
        (of_sqlite(sqlite3.SQLITE_FULL), StoreUnavailable, "it: the disk is full (as SQLite says); make room there"),
        (of_sqlite(sqlite3.SQLITE_BUSY), StoreBusy, "it is held by somebody else (as SQLite says); try again"),
    ],
    ids=str,
)
def test_a3_the_message_says_what_the_disk_says_and_what_to_do(
    error: Exception, kind: type[StoreError], told: str
) -> None:
    found = store_error(error, "it")

    assert (type(found), str(found)) == (kind, told)


def test_a3_what_is_refused_for_now_is_tried_again_and_what_is_damaged_looked_at_thrice() -> None:
    assert (store_error(of("ENOSPC"), "it").retryable, store_error(of("ENOSPC"), "it").most_attempts) == (True, None)
    assert store_error(of("EISDIR"), "it").most_attempts == 3
    assert not store_error(of("EACCES"), "it").retryable


def test_a3_sqlite_cannot_open_a_file_for_the_reason_that_the_system_gives(tmp_path: Path) -> None:
    where = tmp_path / "none" / "records.db"
    with closing(sqlite3.connect(tmp_path / "x.db")), pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(where)

    assert trouble(caught.value, where) is Trouble.OTHER
    assert trouble(caught.value, tmp_path) is Trouble.DAMAGED, "it is a folder"
    assert "unable to open" in said(caught.value, where)
