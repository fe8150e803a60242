"""What ended an activity: in words, and by the names of our errors."""

from collections.abc import Collection

from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError


def why(error: ActivityError) -> str:
    """What ended an activity, in one line."""
    cause = error.cause
    if isinstance(cause, TimeoutError):
        kind = cause.type.name.lower().replace("_", "-") if cause.type is not None else "some"
        return f"no answer from a worker within the {kind} time"
    return str(getattr(cause, "message", None) or cause or error)


def ended_by(error: ActivityError, names: Collection[str]) -> bool:
    """Whether it was one of our errors with these names that ended an activity."""
    return isinstance(error.cause, ApplicationError) and error.cause.type in names
