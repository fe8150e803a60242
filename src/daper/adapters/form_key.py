"""The key with which forms of chat clients are sealed: it is kept, so that a form outlives its server."""

import logging
import secrets
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

from daper.adapters.privacy import private_files
from daper.adapters.regular_file import read_if_there
from daper.adapters.whole_file import replace_file
from daper.core.errors import StoreDamaged, StoreError
from daper.stores.locks import alone

FORM_KEY: Final = "mcp-forms.key"
_BYTES: Final = 32

log = logging.getLogger(__name__)


class FormKey(ABC):
    """A key of forms, which is made once."""

    @abstractmethod
    def read(self) -> bytes | None:
        """The key; None where there is none yet. Raises a StoreError where it cannot be read, or is no key."""

    @abstractmethod
    def read_or_make(self) -> bytes:
        """The key, made where there is none; all that come at once get the same. Raises a StoreError."""

    def for_a_server(self) -> bytes:
        """The key; where it cannot be had, one for this process alone, and that is logged."""
        try:
            return self.read_or_make()
        except StoreError as error:
            log.warning("forms do not outlive this server: %s", error)
            return new_key()


class FormKeyFile(FormKey):
    """The key of one home. It is made once, for all servers of the home, and its owner alone can read it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """The key; None where there is none yet. Raises StoreDamaged for a file that holds none, or cannot be read."""
        try:
            text = read_if_there(self._path)
        except OSError as error:
            raise self._unfit(f"cannot be read: {error.strerror}") from error
        if text is None:
            return None
        key = key_of(text.decode("ascii", "replace"))
        if key is None:
            raise self._unfit("does not hold a key as daper writes it")
        return key

    def read_or_make(self) -> bytes:
        """The key, made where there is none; two that come at once get the same. Raises StoreDamaged."""
        if (known := self.read()) is not None:
            return known
        try:
            with private_files():
                return self._made()
        except OSError as error:
            raise self._unfit(f"cannot be made: {error.strerror}") from error

    def _made(self) -> bytes:
        """Raises OSError, StoreDamaged."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with alone(self._path.with_name(f"{self._path.name}.lock")):
            if (known := self.read()) is not None:  # somebody was quicker
                return known
            made = new_key()
            replace_file(self._path, f"{made.hex()}\n".encode())
            return made

    def _unfit(self, why: str) -> StoreDamaged:
        return StoreDamaged(
            f"the key of forms in {str(self._path)!r} {why}; mend that, or remove it and a new one is made: forms that "
            "are open then have to be asked for again"
        )


def new_key() -> bytes:
    """A key that nobody can guess."""
    return secrets.token_bytes(_BYTES)


def key_of(text: str) -> bytes | None:
    """The key as it is kept, in hexadecimal digits; None for what is none."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        return None
    return key if len(key) == _BYTES else None
