"""The one error tree.

DaperError
├── UserError                 the caller can mend it: wrong id, wrong value, wrong moment
│   ├── NotFound              no repair, record, tool or domain by that name
│   │   └── NotBegun          a repair of what was reported, which waits
│   ├── DecisionRefused       a decision that is early, late, repeated, stale or outside its limits
│   ├── KeyTaken              the key of a request belongs to another one
│   ├── AccessRefused         this person may not do that at this door
│   ├── Occupied              a file or port is held by another process
│   └── SettingError          a variable that is wrong
├── Unreachable               Temporal, or a worker, did not answer in time
│   └── NoWorker              Temporal answers, and nobody works on the queue
├── StoreError                the records cannot be read or changed
│   ├── StoreBusy             somebody else holds the store (retryable)
│   ├── StoreChanged          a file was edited under a running change; nothing was written (retryable)
│   ├── StoreUnavailable      the disk refuses for now: full, read-only, away (retryable; repairs wait for it)
│   ├── StoreDamaged          a file is not what it must be; it is left untouched (looked at again a few times)
│   │   └── RecoveryNeeded    a half-done change met an edit; a person has to choose (retryable; repairs wait for it)
│   └── WrongStore            a plan for one store reached another
├── ModelError                a language model cannot be used as configured: key, name, length of the context
│   └── SpendingCapReached    what a cycle may spend on models does not cover the next call
├── ModelUnavailable          a language model did not answer, or asked to wait (retryable)
├── ModelOutputError          an agent's answer does not fit, after it was told so (retryable)
├── ActionFailed              a repair tool could not do what was approved; nothing was changed
├── ClockMoved                this machine's clock is not where it was, or work came late (retryable)
├── ApprovalLapsed            the time in which an approved action may begin is over
├── TargetRefused             nobody can be told there: no such target, or it refuses what it is sent
├── TargetUnreachable         a target did not take a message this time (retryable)
├── NoAnswer                  an outside system did not say what it did with a request (retryable)
└── CannotSettle              nobody can tell whether an effect happened
    └── LedgerContradicted    an outside system did what our ledger says never happens
"""

from datetime import timedelta

from daper.core.commands import CommandLine, Said


class DaperError(Exception):
    """An expected failure. `retryable` says whether the same call may succeed later.

    `retry_after`: not before that, says whoever refused; None where nobody said. `most_attempts`: how often it is worth
    trying, where that is less than elsewhere. `said`: the message, with the command lines that it names as such.
    """

    retryable = False
    retry_after: timedelta | None = None
    most_attempts: int | None = None

    def __init__(self, *said: str | CommandLine) -> None:
        super().__init__(*said)
        self.said = Said(*said)

    def __str__(self) -> str:
        return str(self.said)


class UserError(DaperError):
    """Something the caller can mend; the message says how."""


class NotFound(UserError):
    """No repair, record, tool or domain by that name."""


class NotBegun(NotFound):
    """A repair of what was reported waits, and there is nothing of it to see yet."""

    def __init__(self, repair_id: str, *, waits_for: str) -> None:
        see = CommandLine("repair", "list")
        super().__init__(f"repair {repair_id!r} has not begun: it waits for {waits_for}; see: ", see)
        self.waits_for = waits_for


class DecisionRefused(UserError):
    """The decision does not answer the plan that is waiting; the message says why."""


class KeyTaken(UserError):
    """The key that a request was given belongs to another request; the message names its repair."""


class FactRefused(UserError):
    """What was told cannot be so, by what the record says; the message says why. Nothing was changed."""


class AccessRefused(UserError):
    """This person may not do that at this door; the message says what the person may."""


class Occupied(UserError):
    """A file or port is held by another process; the message names it and how to go on."""


class SettingError(UserError):
    """A variable or option is wrong; the message names it and what would be right."""


class Unreachable(DaperError):
    """Temporal or a worker did not answer in time; the message says what to start."""

    retryable = True


class NoWorker(Unreachable):
    """Temporal answers, and no worker does."""


class Stuck(Unreachable):
    """A worker answers, and cannot go on."""


class StoreError(DaperError):
    """The records cannot be read or changed."""


class StoreBusy(StoreError):
    """Somebody else holds the store; the message names the holder."""

    retryable = True


class StoreChanged(StoreError):
    """A file was edited under a running change. Nothing was written."""

    retryable = True


class StoreUnavailable(StoreError):
    """The disk refuses for now. Whether what was asked for has happened, only the store's own record can tell."""

    retryable = True


class StoreDamaged(StoreError):
    """A file is not what it must be. It is left untouched; the message gives the ways out.

    Somebody may be writing it just now, so that it is worth another look or two.
    """

    retryable = True
    most_attempts = 3


class RecoveryNeeded(StoreDamaged):
    """A change that is half done cannot go on before a person has chosen; the message gives the ways out."""

    most_attempts = None


class WrongStore(StoreError):
    """A plan for one store reached another."""


class ModelError(DaperError):
    """A language model cannot be used as it is configured; the message names the model and the way out."""


class SpendingCapReached(ModelError):
    """The next call could take more than its cycle may still spend; it was not made."""


class ModelUnavailable(DaperError):
    """A language model did not answer, or asked to wait."""

    retryable = True

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelOutputError(DaperError):
    """An agent's answer does not fit, also after it was told what is wrong with it. Another try may fit, and costs."""

    retryable = True
    most_attempts = 3


class ActionFailed(DaperError):
    """A repair tool could not do what was approved. Nothing was changed."""


class ApprovalLapsed(DaperError):
    """The time in which an approved action may begin is over. Nothing was begun by this attempt."""


class ClockMoved(DaperError):
    """This machine's clock is not where it was, or work came late; what is sent anew tells which. Nothing was begun."""

    retryable = True


class NoAnswer(DaperError):
    """An outside system did not answer, or not clearly: what became of a request, only it can tell."""

    retryable = True


class CannotSettle(DaperError):
    """Nobody can tell whether an effect happened; a person has to look."""


class LedgerContradicted(CannotSettle):
    """An outside system did what our ledger says never happens; no later look into the ledger says so."""


class TargetRefused(DaperError):
    """A target of messages does not exist, is set up wrongly or refuses; the message holds no address and no secret."""


class TargetUnreachable(DaperError):
    """A target of messages did not take one this time; the message holds no address and no secret.

    `certain`: the target itself said that it did not take it.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: timedelta | None = None, certain: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.certain = certain


class DeliveryUnknown(DaperError):
    """A message may have gone, and nobody can tell; the message holds no address and no secret."""


class DeliveryTaken(DaperError):
    """A message is not to be sent: it was sent, or is being sent, by somebody else, or a person said what it is."""
