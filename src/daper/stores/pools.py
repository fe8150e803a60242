"""Pools of connections, one for each database of a process: of many threads that come first, one opens it."""

import os
import threading
from collections.abc import Callable, Hashable

from sqlalchemy import Engine


class Pools:
    """Engines by key. A child process forgets them: it has the parent's connections, and must never speak on them."""

    def __init__(self) -> None:
        self._engines: dict[Hashable, Engine] = {}
        self._making = threading.Lock()
        os.register_at_fork(after_in_child=self._forget)

    def one(self, key: Hashable, make: Callable[[], Engine]) -> Engine:
        """The engine of that key, made where there is none."""
        with self._making:  # what others made at the same moment would stay open
            if key not in self._engines:
                self._engines[key] = make()
            return self._engines[key]

    def close(self) -> None:
        """Close the connections that nobody uses now; the next use opens new ones."""
        while self._engines:
            _, engine = self._engines.popitem()
            engine.dispose()

    def _forget(self) -> None:
        for engine in self._engines.values():
            engine.dispose(close=False)
        self._engines.clear()
        self._making = threading.Lock()  # a thread of the parent may hold the other one for ever
