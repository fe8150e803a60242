"""Every timeout and retry policy of the workflows; nowhere else is a duration written.

Attempts are bounded everywhere. How long a task may wait for a worker is not, unless said: a repair outlives its
workers. Activities heartbeat in the background, so a killed worker is noticed within the heartbeat timeout.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType, ActivityConfig

PARALLEL_EFFECTS = 10
PARALLEL_MESSAGES = 10
PARALLEL_CALLS = 4  # of a model, in one cycle
EVENTS_REMEMBERED = timedelta(days=1)  # which repair answers what was reported, where Temporal alone cannot tell
# How often an event-driven agent looks which repairs of its earlier runs have ended: while others wait for that, else.
LOOKS_EAGERLY = timedelta(minutes=1)
LOOKS_IDLY = timedelta(minutes=15)
FAILURES_TOLD = 3  # cycles of a proactive agent that fail in a row, before somebody is told

HEARTBEAT = timedelta(seconds=10)

# To plan, to finish the last effect and to verify it: so much longer a plan holds others back, if nobody says it ended.
AFTERMATH = timedelta(hours=1)

# How soon a disk that refuses is asked again; later, twice as long each time, up to twenty seconds.
AGAIN_AFTER = timedelta(milliseconds=500)

# How many rounds of tries a disk that refuses for another reason each time is waited for round by round.
REASONS_TOLD = 20

# How long a repair that was stopped still waits for a disk that refuses, to learn what became of what it had begun: so
# long that it is asked once more in any case, also where that takes the ten seconds of a lock.
AFTER_A_STOP = timedelta(seconds=30)

# How long a proactive agent pauses after cycles that failed; never longer than its interval.
FIRST_PAUSE = timedelta(minutes=5)
_PAUSE_GROWS = 4
_MOST_GROWN = 10  # times: years


def _retries(attempts: int, *, longest_wait: timedelta = timedelta(seconds=10)) -> RetryPolicy:
    return RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2.0,
        maximum_interval=longest_wait,
        maximum_attempts=attempts,
    )


def backoff(failures_in_a_row: int, *, interval: timedelta) -> timedelta:
    """How long after its last cycle an agent begins the next: sooner after a failure, later after each more of them."""
    if not failures_in_a_row:
        return interval
    return min(interval, FIRST_PAUSE * _PAUSE_GROWS ** min(failures_in_a_row - 1, _MOST_GROWN))


def ended_by(config: ActivityConfig, names: Collection[str]) -> ActivityConfig:
    """The same, ended at once by errors of these names, so that whoever waits can be told what for."""
    retry = config.get("retry_policy") or RetryPolicy()
    return {**config, "retry_policy": replace(retry, non_retryable_error_types=sorted(names))}


def outlasting(config: ActivityConfig, rounds: int) -> ActivityConfig:
    """The same, tried for three minutes, and in later rounds for twenty: a history stays short, whatever the wait.

    The pauses are never so long that the end of what was waited for goes unnoticed within `AFTER_A_STOP`.
    """
    retry = RetryPolicy(
        initial_interval=AGAIN_AFTER,
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=20),
        maximum_attempts=64 if rounds else 14,
    )
    return {**config, "retry_policy": retry}


def let_through(config: ActivityConfig) -> ActivityConfig:
    """The same; cancelled, an attempt that is under way is waited for, and no other begins."""
    return {**config, "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED}


def between_rounds(rounds: int) -> timedelta:
    """How long to wait before this round of tries, from the first on."""
    return timedelta(seconds=min(2 ** min(rounds, 5), 30))


def read(queue: str) -> ActivityConfig:
    """Looks at records, changes nothing."""
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timedelta(minutes=2),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=_retries(20),
    )


def search(queue: str) -> ActivityConfig:
    """Looks through all records there are, changes nothing; a million of them take minutes."""
    return {**read(queue), "start_to_close_timeout": timedelta(hours=2)}


def look(queue: str) -> ActivityConfig:
    """Looks at what Temporal knows. Given up soon: it is done again, and whoever does it has other things to do."""
    return ActivityConfig(
        task_queue=queue,
        schedule_to_close_timeout=timedelta(seconds=20),
        start_to_close_timeout=timedelta(seconds=10),
        retry_policy=_retries(5),
    )


def think(queue: str) -> ActivityConfig:
    """Asks a language model; changes nothing, costs money. A slow answer is waited for, while heartbeats come.

    Whoever is asked may say when to come again; otherwise the pauses grow. The client gives up on a silent model long
    before the time here is over.
    """
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timedelta(hours=1),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=1),
            backoff_coefficient=4.0,
            maximum_interval=timedelta(minutes=1),
            maximum_attempts=6,
        ),
    )


def effect(queue: str, *, begin_within: timedelta) -> ActivityConfig:
    """Changes records once for its key. Whatever ends its attempts, `settle` has the last word.

    Where no time is left to begin, the attempt itself says so.
    """
    return ActivityConfig(
        task_queue=queue,
        schedule_to_start_timeout=max(begin_within, timedelta(seconds=1)),
        start_to_close_timeout=timedelta(seconds=60),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=_retries(10, longest_wait=timedelta(seconds=2)),
    )


def settle(queue: str) -> ActivityConfig:
    """Finds out whether an effect happened. Tried for long: its failure means that nobody can tell."""
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timedelta(seconds=60),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=_retries(100, longest_wait=timedelta(seconds=30)),
    )


def publish(queue: str) -> ActivityConfig:
    """Writes down what happened."""
    return ActivityConfig(
        task_queue=queue,
        start_to_close_timeout=timedelta(minutes=1),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=_retries(20),
    )


def tell(queue: str) -> ActivityConfig:
    """Tells one target of one event. Given up after ten minutes, also where no worker takes it: no repair waits longer.

    Whoever is told may say when to come again; otherwise the pauses grow.
    """
    return ActivityConfig(
        task_queue=queue,
        schedule_to_close_timeout=timedelta(minutes=10),
        start_to_close_timeout=timedelta(minutes=2),
        heartbeat_timeout=HEARTBEAT,
        retry_policy=RetryPolicy(
            initial_interval=timedelta(milliseconds=500),
            backoff_coefficient=3.0,
            maximum_interval=timedelta(minutes=1),
            maximum_attempts=15,
        ),
    )


DELIVERY_TRIES = 8


def deliver(queue: str) -> ActivityConfig:
    """Sends one message of an outbox. Given up after ten minutes: what was not sent is a person's by then.

    Only what was certainly not taken is tried again; whoever did not take it may say when to come again.
    """
    return {**tell(queue), "retry_policy": _retries(DELIVERY_TRIES, longest_wait=timedelta(minutes=1))}
