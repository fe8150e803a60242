"""What an error of the system means, from the disk or from SQLite: one table for everything that keeps files.

A file system may lack what is optional; a disk may refuse for now, and is waited for; what is there may be damaged, or
not ours to change. Nothing else decides that. SQLite is known by its numbers, so that this imports no database.
"""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from daper.core.errors import StoreBusy, StoreDamaged, StoreError, StoreUnavailable


class Trouble(StrEnum):
    """What an error of the system means for whoever got it."""

    NOT_SUPPORTED = "not-supported"  # this file system has no such thing; what is optional does without
    FOR_NOW = "for-now"  # the same again may succeed, after seconds or hours, with nothing changed in daper
    DAMAGED = "damaged"  # what is there is not what it must be
    NOT_ALLOWED = "not-allowed"
    OTHER = "other"


def _codes(*names: str) -> frozenset[int]:
    """The numbers of these errors; a system need not have all of them."""
    return frozenset(code for name in names if (code := getattr(errno, name, None)) is not None)


_NOT_SUPPORTED: Final = _codes("EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "ENOTTY", "EBADF")
_FULL: Final = _codes("ENOSPC")
_QUOTA: Final = _codes("EDQUOT")
_READ_ONLY: Final = _codes("EROFS")
_FILES: Final = _codes("EMFILE", "ENFILE")
_BUSY: Final = _codes("EAGAIN", "EWOULDBLOCK", "EBUSY", "ETXTBSY", "EINTR", "EDEADLK")
_LOCKS: Final = _codes("ENOLCK")
_GONE: Final = _codes("ENOENT")
_AWAY: Final = _codes(
    "ESTALE", "ENODEV", "ENXIO", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH",
    "ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "ESHUTDOWN", "ENOLINK", "ENONET", "ECOMM", "ENOMEDIUM",
)  # fmt: skip
_FAILS: Final = _codes("EIO", "EREMOTEIO")
_MEMORY: Final = _codes("ENOMEM", "ENOBUFS")
_DAMAGED: Final = _codes("EUCLEAN", "EBADMSG", "EISDIR", "ENOTDIR", "ELOOP", "EFTYPE")
_NOT_ALLOWED: Final = _codes("EACCES", "EPERM")
_FOR_NOW: Final = _FULL | _QUOTA | _READ_ONLY | _FILES | _BUSY | _LOCKS | _AWAY | _FAILS | _MEMORY

# What the numbers of SQLite mean as the system's: https://www.sqlite.org/rescode.html
_SQLITE_HELD: Final = frozenset({5, 6, 15})  # BUSY, LOCKED, PROTOCOL
_SQLITE: Final = {
    3: errno.EACCES,  # PERM
    7: errno.ENOMEM,
    8: errno.EROFS,  # READONLY
    10: errno.EIO,  # IOERR
    11: errno.EBADMSG,  # CORRUPT
    13: errno.ENOSPC,  # FULL
    22: errno.ENOSYS,  # NOLFS
    23: errno.EACCES,  # AUTH
    26: errno.EBADMSG,  # NOTADB
} | dict.fromkeys(_SQLITE_HELD, errno.EAGAIN)
_SQLITE_CANTOPEN: Final = 14

_WORDS: Final = (
    (_FULL, "the disk is full"),
    (_QUOTA, "the disk quota is used up"),
    (_READ_ONLY, "the disk is read-only"),
    (_FILES, "too many files are open"),
    (_BUSY, "somebody else uses it"),
    (_LOCKS, "its file system gives no locks now"),
    (_GONE, "it is gone"),
    (_AWAY, "the disk is away"),
    (_FAILS, "the disk fails"),
    (_MEMORY, "there is no memory left"),
    (_NOT_ALLOWED, "it is not allowed"),
)
_WAYS_OUT: Final = (
    (_FULL | _QUOTA, "make room there"),
    (_READ_ONLY, "make it writable"),
    (_FILES, "end what opens so many, or raise the limit (ulimit -n)"),
    (_BUSY, "look who that is"),
    (_LOCKS, "see that the lock service of that file system runs"),
    (_GONE, "bring it back"),
    (_AWAY, "bring it back"),
    (_FAILS, "look at that disk"),
    (_NOT_ALLOWED, "mend the rights"),
    (_DAMAGED, "look what lies there"),
)


def trouble(error: BaseException, path: str | os.PathLike[str] | None = None) -> Trouble:
    """What an error of the system means. `path`: the file it is about, for SQLite, which names no reason by itself.

    `EPERM` is not allowed; where something optional was asked for, see `optional`.
    """
    code = _code(error, path)
    if code in _FOR_NOW:
        return Trouble.FOR_NOW
    if code in _NOT_ALLOWED:
        return Trouble.NOT_ALLOWED
    if code in _DAMAGED:
        return Trouble.DAMAGED
    return Trouble.NOT_SUPPORTED if code in _NOT_SUPPORTED else Trouble.OTHER


@contextmanager
def optional() -> Generator[None]:
    """For what a file system may lack, and what is done without then: keeping a mode, making a folder's names durable.

    `EPERM` and `EACCES` mean the same here: drives of Windows and of networks say that of a mode. All else is raised.
    """
    try:
        yield
    except OSError as error:
        if trouble(error) not in {Trouble.NOT_SUPPORTED, Trouble.NOT_ALLOWED}:
            raise


def said(error: BaseException, path: str | os.PathLike[str] | None = None) -> str:
    """What the system says, in words: "the disk is full (No space left on device)"."""
    code = _code(error, path)
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return next((f"{words} ({text})" for codes, words in _WORDS if code in codes), text)


def store_error(error: BaseException, named: str, *, path: str | os.PathLike[str] | None = None) -> StoreError:
    """The error of ours for one of the system. `named`: what it is about, as a message names it; `path`: as `trouble`.

    StoreBusy where somebody else holds a database, StoreUnavailable for what is refused for now, StoreDamaged, and
    StoreError for all else; with the way out, unless only whoever knows the file can tell.
    """
    code, why = _code(error, path), said(error, path)
    out = next((f"; {way}" for codes, way in _WAYS_OUT if code in codes), "")
    if _primary(error) in _SQLITE_HELD:
        return StoreBusy(f"{named} is held by somebody else ({error}); try again")
    if code in _GONE:  # as what is missed when it is looked for first
        return StoreDamaged(f"{named} cannot be used: {why}{out}")
    match trouble(error, path):
        case Trouble.FOR_NOW:
            return StoreUnavailable(f"{named}: {why}{out}")
        case Trouble.DAMAGED:
            return StoreDamaged(f"{named} is not what it must be: {why}{out}")
        case _:
            return StoreError(f"{named} cannot be used: {why}{out}")


def _code(error: BaseException, path: str | os.PathLike[str] | None) -> int | None:
    """The number of the system's error, also for an error of SQLite; None where nobody can say."""
    if isinstance(error, OSError):
        return error.errno
    primary = _primary(error)
    if primary == _SQLITE_CANTOPEN and path is not None:
        return _why_not_opened(path)
    return None if primary is None else _SQLITE.get(primary)


def _primary(error: BaseException) -> int | None:
    code: object = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def _why_not_opened(path: str | os.PathLike[str]) -> int | None:
    """SQLite says only that it cannot open a file; the system says why."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.errno
    return None
