"""What a worker makes of signals, with a clock and a way out of the test's own."""

import signal
from datetime import timedelta

import pytest

from daper.entrypoints.cli.shutdown import Stopping


class Told:
    """A worker that is told to stop, and the time since; `left` are the exit codes it would have ended with."""

    def __init__(self) -> None:
        self.time = 100.0
        self.left: list[int] = []
        self.stopping = Stopping(drain=timedelta(seconds=20), now=lambda: self.time, leave=self.left.append)

    def tell(self, number: int, *, after: float = 0.0) -> bool:
        self.time += after
        return self.stopping.signalled(number)


def test_the_first_signal_begins_to_drain_and_says_for_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told()

    assert told.tell(signal.SIGTERM)
    assert capsys.readouterr().err == ("stopping: effects in flight may finish, for up to 20 s; again to end at once\n")
    assert told.left == []


def test_signals_within_a_second_are_one_wish() -> None:
    told = Told()
    told.tell(signal.SIGINT)

    assert not told.tell(signal.SIGTERM, after=0.9)
    assert told.left == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_another_signal_later_ends_it_at_once(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told()
    told.tell(signal.SIGTERM)

    told.tell(number, after=1.1)

    assert told.left == [128 + number]
    assert capsys.readouterr().err.endswith(
        "\nworker ended at once; another worker goes on with the effects in flight\n"
    )


def test_a_terminal_that_goes_away_does_not_end_it_at_once() -> None:
    told = Told()
    told.tell(signal.SIGHUP)

    assert not told.tell(signal.SIGHUP, after=5)
    assert told.left == []


def test_a_terminal_that_is_gone_does_not_keep_it_from_draining(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _: str) -> None:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("sys.stderr", Gone())
    told = Told()

    assert told.tell(signal.SIGHUP)
    told.stopping.drained()
    assert told.left == [0]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (0.1, "worker stopped\n"),
        (20.2, "worker stopped; another worker goes on with what did not finish in time\n"),
    ],
)
def test_the_end_says_whether_the_time_was_enough(after: float, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told()
    told.tell(signal.SIGTERM)
    told.time += after
    capsys.readouterr()

    told.stopping.drained()

    assert (told.left, capsys.readouterr().err) == ([0], said)
