"""Access tokens in one file under the home: whose each is and what it allows. Of a token itself only a hash is kept."""

import contextlib
import json
from collections.abc import Callable, Collection, Generator
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from daper.adapters.privacy import private_files
from daper.adapters.regular_file import is_there, read_if_there
from daper.adapters.tokens.texts import grant_of, hash_of, new_token
from daper.adapters.whole_file import replace_file
from daper.core.access import Access, TokenGrant
from daper.core.commands import CommandLine
from daper.core.errors import NotFound, StoreChanged, StoreDamaged, UserError
from daper.core.system_errors import optional
from daper.stores.locks import alone

TOKENS: Final = "mcp-tokens.json"

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
        try:
            version = self._version()
            if version is not None and version != self._read_at:
                self._grants, self._read_at = self._load(), version
        except OSError as error:
            raise self._unreadable(error.strerror) from error
        if version is None and self.in_use:
            raise self._unreadable("it is a link that leads nowhere")
        return () if version is None else self._grants

    def _unreadable(self, reason: str | None) -> StoreDamaged:
        return StoreDamaged(
            f"the access tokens in {str(self._path)!r} cannot be read: {reason}; mend that, or remove it and make the "
            "tokens anew"
        )

    def find(self, token: str) -> TokenGrant | None:
        """The grant of a token, or None. Raises StoreDamaged."""
        return grant_of(token, self.grants())

    def add(self, name: str, scopes: Collection[Access]) -> str:
        """Make a token for a person; it is told this once.

        Raises UserError where the name has one, StoreDamaged, StoreChanged where somebody else writes the file.
        """
        token = new_token()
        grant = TokenGrant(name=name, scopes=frozenset(scopes), sha256=hash_of(token), created_at=self._now())
        with self._alone() as make_sure:
            if any(other.name == name for other in self.grants()):
                raise UserError(
                    f"{name!r} has a token already; remove it first: ", CommandLine("mcp", "token", "remove", name)
                )
            self._write((*self.grants(), grant), make_sure)
        return token

    def remove(self, name: str) -> None:
        """Take a person's token away. Raises NotFound, StoreDamaged, StoreChanged where somebody else writes."""
        with self._alone() as make_sure:
            kept = tuple(grant for grant in self.grants() if grant.name != name)
            if len(kept) == len(self.grants()):
                known = ", ".join(repr(grant.name) for grant in kept) or "nobody"
                raise NotFound(f"{name!r} has no token; who has: {known}")
            self._write(kept, make_sure)

    @contextlib.contextmanager
    def _alone(self) -> Generator[Callable[[], None]]:
        """Nobody else changes the file meanwhile. Yields what raises StoreChanged where somebody did.

        The lock beside the file is for the first token; the file itself cannot be removed without what is in it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(alone(self._path.with_name(f"{self._path.name}.lock")))
            with contextlib.suppress(FileNotFoundError):
                held = stack.enter_context(alone(self._path, make=False))
            read = self._version()

            def make_sure() -> None:
                if not held() or self._version() != read:
                    raise StoreChanged(
                        f"somebody else changed {str(self._path)!r} meanwhile; nothing was done. Try again"
                    )

            yield make_sure

    def _version(self) -> tuple[int, int, int] | None:
        """What tells that the file is still the one that was read; None where there is none."""
        try:
            about = self._path.stat()
        except FileNotFoundError:
            return None
        return about.st_mtime_ns, about.st_size, about.st_ino

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

    def _write(self, grants: tuple[TokenGrant, ...], make_sure: Callable[[], None]) -> None:
        kept = [
            grant.model_dump(mode="json") | {"scopes": sorted(str(scope) for scope in grant.scopes)} for grant in grants
        ]
        # Nobody but the owner may even see who has one; a new file takes the rights of the one it replaces.
        with contextlib.suppress(FileNotFoundError), optional():
            self._path.chmod(0o600)
        with private_files():
            replace_file(self._path, (json.dumps(kept, indent=2) + "\n").encode(), make_sure=make_sure)
        self._read_at = None
