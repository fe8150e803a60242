"""What a call of a model is counted with: what it says it took, and an estimate where that cannot be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse
from pydantic_ai.usage import RequestUsage

from daper.core.usage import Spent

# No tokenizer makes more than one token of a byte. This much more for what a provider puts around messages and schema.
OVERHEAD_TOKENS: Final = 1000
# No honest count is lower than one for so many characters: not of prose, JSON, code or any script.
CHARACTERS_PER_TOKEN: Final = 8
# No honest count is higher: what a gateway adds to a prompt, what a model thinks beyond the limit of its answer.
_UNSEEN_INPUT: Final = 20_000
_UNSEEN_OUTPUT: Final = 131_072


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is known of a call: the most that it can take, and how many characters went there and came back."""

    most: Spent
    asked: int
    answered: int = 0

    def taken(self, usage: RequestUsage) -> Spent:
        """What it says it took, without a price.

        A figure that cannot be counts as none, and then the most; one below what its text alone must have taken counts
        as that. Both are uncertain.
        """
        given, made = usage.input_tokens, usage.output_tokens
        if not (given or made) or not self._can_be(given, made):
            return self.most.model_copy(update={"uncertain": 1})
        least = self.asked // CHARACTERS_PER_TOKEN, self.answered // CHARACTERS_PER_TOKEN
        return Spent(
            calls=1,
            input_tokens=max(given, least[0]),
            output_tokens=max(made, least[1]),
            uncertain=int(given < least[0] or made < least[1]),
        )

    def _can_be(self, given: int, made: int) -> bool:
        most = self.most
        return 0 <= given <= most.input_tokens + _UNSEEN_INPUT and 0 <= made <= most.output_tokens + _UNSEEN_OUTPUT


def said_in(messages: Sequence[ModelMessage]) -> int:
    """Characters of the text in messages; the instructions go along once, and the form of the answer is not counted."""
    requests = [message for message in messages if isinstance(message, ModelRequest)]
    instructions = requests[-1].instructions if requests else None
    said = len(instructions or "")
    for message in messages:
        said += answered_in(message) if isinstance(message, ModelResponse) else _said_to_it(message)
    return said


def answered_in(answer: ModelResponse) -> int:
    """Characters of the text and the calls in an answer; what it thought is not counted."""
    said = sum(len(part.content) for part in answer.parts if part.part_kind == "text")
    return said + sum(len(part.args_as_json_str()) for part in answer.parts if part.part_kind == "tool-call")


def _said_to_it(message: ModelRequest) -> int:
    said = 0
    for part in message.parts:
        content: object = getattr(part, "content", None)
        said += len(content) if isinstance(content, str) else 0
    return said
