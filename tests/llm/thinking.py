"""What a brain is, and how its reply becomes text."""

import json
from collections.abc import Callable
from typing import Final

from tests.llm.reading import Prompt
from tests.llm.wire import Json

# A reply is a JSON object; one that has this key is sent as that text, whatever else it holds.
RAW: Final = "\0raw"
Brain = Callable[[Prompt], Json]


def text_of(reply: Json) -> str:
    """The reply as the model writes it."""
    return str(reply[RAW]) if RAW in reply else json.dumps(reply, ensure_ascii=False)
