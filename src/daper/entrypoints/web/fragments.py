"""Parts of pages as they were drawn, for everybody who asks for the same again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from markupsafe import Markup
from starlette.requests import Request

_MOST: Final = 64


class Fragments:
    """The parts that were asked for last. A key names all that a part shows: it is never drawn anew."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._drawn: OrderedDict[Hashable, Markup] = OrderedDict()

    def get(self, key: Hashable, draw: Callable[[], str]) -> Markup:
        """The part with that key, drawn if it is not there."""
        found = self._drawn.pop(key, None)
        self._drawn[key] = Markup(draw()) if found is None else found  # noqa: S704 - a template has escaped it
        if len(self._drawn) > self._most:
            self._drawn.popitem(last=False)
        return self._drawn[key]


def fragments_of(request: Request) -> Fragments:
    """The parts of the console that a request came to."""
    kept: Fragments = request.app.state.fragments
    return kept
