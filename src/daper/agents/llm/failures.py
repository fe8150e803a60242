"""What went wrong with a model, in our words: one line that names the model, and whether another try makes sense."""

import re
from datetime import timedelta
from typing import Final

from pydantic_ai import exceptions as theirs

from daper.agents.llm.envelope import behind
from daper.core.errors import DaperError, ModelError, ModelOutputError, ModelUnavailable
from daper.core.text import visible
from daper.core.urls import masked_urls

# A longer wait than this is no wait but an outage.
LONGEST_WAIT = timedelta(hours=1)
_SHORT = 300
# Also of a key that the library took from the environment by itself, and that we do not know.
_KEY = re.compile(r"\b(?:sk|pk|rk|AIza|gsk|ghp|xai)[-_][A-Za-z0-9_*-]{8,}|\bAIza[A-Za-z0-9_-]{20,}")

_MEANINGS: Final[tuple[tuple[type[Exception], str, type[DaperError]], ...]] = (
    (theirs.ModelAuthenticationError, "{name} refused the key ({told}); set LLM_KEY", ModelError),
    (
        theirs.ModelNotFoundError,
        "{name}: there is no such model there ({told}); check LLM_MODEL and LLM_BASE_URL",
        ModelError,
    ),
    (
        theirs.ModelContextWindowExceededError,
        "{name}: {about} is too long for its context ({told}); lower DAPER_LLM_BATCH_TOKENS, or take a model with a "
        "longer context",
        ModelError,
    ),
    (theirs.ModelQuotaExceededError, "{name}: the account's quota or money is used up ({told})", ModelError),
    (
        theirs.ModelTimeoutError,
        "{name} did not answer in time ({told}); DAPER_LLM_TIMEOUT says how long it may take",
        ModelUnavailable,
    ),
    (theirs.ModelServerError, "{name} is broken ({told})", ModelUnavailable),
    (
        theirs.ContentFilterError,
        "{name} refused to answer about {about}: its content filter said no ({told})",
        ModelOutputError,
    ),
)


def translate(error: Exception, *, name: str, key: str, about: str, proxy: str = "") -> DaperError:
    """Our error for one of the library's, or for NotAnAnswer.

    `about` says what the call was about, `proxy` which variable sends it over a proxy. The key is kept out of it, and
    what is secret in an address.
    """
    if found := behind(error):
        return found.meaning(f"{name} {_plain(found.told, key)}")
    told = _plain(_words(error), key)
    if isinstance(error, theirs.ModelConnectionError) and not isinstance(error, theirs.ModelTimeoutError):
        return _unreached(name, told, proxy)
    for theirs_, what, ours in _MEANINGS:
        if isinstance(error, theirs_):
            return ours(what.format(name=name, told=told, about=about))
    if isinstance(error, theirs.ModelRateLimitError | theirs.ModelUnavailableError):
        return _busy(error, name, told)
    if isinstance(error, theirs.ModelHTTPError) and error.status_code >= 500:
        return ModelUnavailable(f"{name} is broken ({told})")
    if isinstance(error, theirs.ModelAPIError):
        return ModelError(f"{name} refused the request ({told})")
    return ModelOutputError(f"{name} gave no answer that fits, about {about}: {told}")


def _plain(words: str, key: str) -> str:
    words = _KEY.sub("(key)", words.replace(key, "(key)") if key else words)
    return visible(masked_urls(" ".join(words.split())), longest=_SHORT)


def _unreached(name: str, told: str, proxy: str) -> DaperError:
    if "CERTIFICATE_VERIFY_FAILED" in told:
        return ModelError(
            f"{name} cannot be trusted: its certificate is not known here ({told}); SSL_CERT_FILE names the file with "
            "those that are, SSL_CERT_DIR the folder"
        )
    if "WRONG_VERSION_NUMBER" in told:
        return ModelError(f"{name} does not speak TLS ({told}); LLM_BASE_URL may have to begin with http://")
    more = f"; {proxy} is set: see that this proxy answers" if proxy else ""
    return ModelUnavailable(f"{name} cannot be reached ({told}){more}")


def _busy(error: theirs.ModelAPIError, name: str, told: str) -> DaperError:
    wait = None if error.retry_after is None else timedelta(seconds=min(error.retry_after, 10**7))
    if wait is not None and wait > LONGEST_WAIT:
        return ModelError(f"{name} asks to wait {wait}, longer than a repair does ({told})")
    return ModelUnavailable(f"{name} asks to wait ({told})", retry_after=wait)


def _words(error: Exception) -> str:
    """The error's own words, in one line; of an answer that did not fit, what did not fit about it."""
    if isinstance(error, theirs.ModelHTTPError):
        return f"HTTP {error.status_code}: {_message_of(error.body) or error.message}"
    cause = _deepest(error)
    detail = f": {cause}" if cause is not None and str(cause) and str(cause) not in str(error) else ""
    return " ".join(f"{getattr(error, 'message', None) or error}{detail}".split())


def _deepest(error: BaseException) -> BaseException | None:
    """What lies behind an error, and says something: what the network said of a connection, not what was made of it."""
    said, cause = error.__cause__, error.__cause__
    for _ in range(10):
        if cause is None:
            break
        said = cause if str(cause) else said
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return said


def _message_of(body: object) -> str:
    """The message of an error body, if it has one where servers put it."""
    for key in ("error", "message"):
        if isinstance(body, dict):
            # A JSON object of unknown shape.
            body = body.get(key, body)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return body if isinstance(body, str) else ""
