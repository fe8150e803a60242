"""Access tokens in one file under the home: whose each is and what it allows. Of a token itself only a hash is kept."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Collection, Generator
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from daper.adapters.regular_file import is_there, read_if_there
from daper.adapters.whole_file import replace_file
from daper.core.access import Access, TokenGrant
from daper.core.errors import NotFound, StoreDamaged, UserError

TOKENS: Final = "mcp-tokens.json"

_PREFIX: Final = "daper_"
_BYTES: Final = 32
_GRANTS: Final = TypeAdapter(tuple[TokenGrant, ...])


class TokenFile:
    """The tokens of one home. A change counts at once, also for a server that runs."""

    def __init__(self, path: Path, *, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now
        self._read_at: tuple[int, int, int] | None = None
        self._grants: tuple[TokenGrant, ...] = ()

    @property
    def in_use(self) -> bool:
        """Whether there are, or were, tokens: then nobody comes in without one, also after the last was removed."""
        return is_there(self._path)  # whatever it is: what cannot be read lets nobody in

    def grants(self) -> tuple[TokenGrant, ...]:
        """All of them. Raises StoreDamaged for a file that is not what it must be, or cannot be read."""
        if not self.in_use:
            return ()
        try:
            about = self._path.stat()
            version = (about.st_mtime_ns, about.st_size, about.st_ino)
            if version != self._read_at:
                self._grants, self._read_at = self._load(), version
        except OSError as error:
            reason = "it is a link that leads nowhere" if isinstance(error, FileNotFoundError) else error.strerror
            raise StoreDamaged(
                f"the access tokens in {str(self._path)!r} cannot be read: {reason}; mend that, or remove it and make "
                "the tokens anew"
            ) from error
        return self._grants

    def find(self, token: str) -> TokenGrant | None:
        """The grant of a token, or None. Raises StoreDamaged."""
        hashed = _hash(token)
        return next((grant for grant in self.grants() if secrets.compare_digest(grant.sha256, hashed)), None)

    def add(self, name: str, scopes: Collection[Access]) -> str:
        """Make a token for a person; it is told this once. Raises UserError where the name has one, StoreDamaged."""
        token = _PREFIX + secrets.token_urlsafe(_BYTES)
        grant = TokenGrant(name=name, scopes=frozenset(scopes), sha256=_hash(token), created_at=self._now())
        with self._alone():
            if any(other.name == name for other in self.grants()):
                raise UserError(f"{name!r} has a token already; remove it first: daper mcp token remove {name!r}")
            self._write((*self.grants(), grant))
        return token

    def remove(self, name: str) -> None:
        """Take a person's token away. Raises NotFound, StoreDamaged."""
        with self._alone():
            kept = tuple(grant for grant in self.grants() if grant.name != name)
            if len(kept) == len(self.grants()):
                known = ", ".join(repr(grant.name) for grant in kept) or "nobody"
                raise NotFound(f"{name!r} has no token; who has: {known}")
            self._write(kept)

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        """Nobody else changes the file meanwhile."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        path = self._path.with_name(f"{self._path.name}.lock")
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _load(self) -> tuple[TokenGrant, ...]:
        data = read_if_there(self._path)
        if data is None:  # removed just now
            return ()
        try:
            return _GRANTS.validate_json(data)
        except ValidationError as error:
            raise StoreDamaged(
                f"{str(self._path)!r} does not hold tokens as daper writes them "
                f"({error.error_count()} faults); mend it, or remove it and make the tokens anew"
            ) from None

    def _write(self, grants: tuple[TokenGrant, ...]) -> None:
        kept = [
            grant.model_dump(mode="json") | {"scopes": sorted(str(scope) for scope in grant.scopes)} for grant in grants
        ]
        # Nobody but the owner may even see who has one; a new file takes the rights of the one it replaces.
        with contextlib.suppress(FileNotFoundError, PermissionError, NotImplementedError):  # not every disk has modes
            self._path.chmod(0o600)
        old = os.umask(0o077)
        try:
            replace_file(self._path, (json.dumps(kept, indent=2) + "\n").encode())
        finally:
            os.umask(old)
        self._read_at = None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
