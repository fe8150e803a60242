"""The times of a schedule: what is taken, how it is told, and what is refused with the way out."""

import zoneinfo
from datetime import timedelta

import pytest

from daper.core.errors import UserError
from daper.core.ids import fits_schedule_id, schedule_id, scheduled_repair_prefix
from daper.core.schedules import When, at_intervals, by_cron, span_in_words

DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("every", "offset", "words"),
    [
        (DAY, timedelta(), "every day at 00:00 UTC"),
        (DAY, 7 * HOUR + 5 * MINUTE, "every day at 07:05 UTC"),
        (DAY, 7 * HOUR + 9 * SECOND, "every day at 07:00:09 UTC"),
        (90 * MINUTE, timedelta(), "every 1 hour 30 minutes (UTC)"),
        (7 * DAY, 2 * DAY + HOUR, "every 7 days, shifted by 2 days 1 hour (UTC)"),
        (SECOND, timedelta(), "every 1 second (UTC)"),
        (366 * DAY, timedelta(), "every 366 days (UTC)"),
    ],
)
def test_an_interval_is_told_in_words(every: timedelta, offset: timedelta, words: str) -> None:
    assert at_intervals(every, offset).words == words


@pytest.mark.parametrize(
    ("every", "offset", "says"),
    [
        (timedelta(), timedelta(), "the interval 0:00:00 must be from 1s to 366d, for example 1d or 90m"),
        (-5 * SECOND, timedelta(), "the interval -0:00:05 must be from"),
        (367 * DAY, timedelta(), "must be from 1s to 366d"),
        (1.5 * SECOND, timedelta(), "the interval 0:00:01.500000 must be whole seconds"),
        (HOUR, HOUR, "the offset 1:00:00 must be at least 0s, and shorter than the interval, 1:00:00"),
        (HOUR, -SECOND, "the offset -0:00:01 must be at least 0s"),
        (HOUR, 0.5 * SECOND, "the offset 0:00:00.500000 must be whole seconds"),
    ],
)
def test_an_interval_that_temporal_could_not_keep_is_refused(every: timedelta, offset: timedelta, says: str) -> None:
    with pytest.raises(UserError) as refused:
        at_intervals(every, offset)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("expression", "kept", "words"),
    [
        ("0 7 * * 1-5", "0 7 * * 1-5", "Monday to Friday at 07:00 UTC"),
        ("  5  7 * *   MON-friday", "5 7 * * 1-5", "Monday to Friday at 07:05 UTC"),
        ("0 7 * * 1,3", "0 7 * * 1,3", "Monday, Wednesday at 07:00 UTC"),
        ("0 7 * * 5-7", "0 7 * * 5-7", "Friday to Sunday at 07:00 UTC"),
        ("0 7 * * 1-1", "0 7 * * 1-1", "Monday at 07:00 UTC"),
        ("@Daily", "0 0 * * *", "every day at 00:00 UTC"),
        ("@weekly", "0 0 * * 0", "Sunday at 00:00 UTC"),
        ("0 7 * * */2", "0 7 * * */2", "cron 0 7 * * */2, UTC"),
        ("*/15 7,9-11 * jan-MAR *", "*/15 7,9-11 * 1-3 *", "cron */15 7,9-11 * 1-3 *, UTC"),
        ("0 7 29 feb *", "0 7 29 2 *", "cron 0 7 29 2 *, UTC"),
        ("0 7 31 */2 *", "0 7 31 */2 *", "cron 0 7 31 */2 *, UTC"),
    ],
)
def test_a_cron_expression_is_kept_in_numbers_and_told_in_words(expression: str, kept: str, words: str) -> None:
    when = by_cron(expression)
    assert (when.cron, when.words) == (kept, words)
    assert by_cron(kept) == when


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("hello", "it has 1 fields and must have five"),
        ("", "it has 0 fields"),
        ("0 0 7 * * 1", "it has 6 fields"),
        ("@every 1h", "it has 2 fields"),
        ("0 25 * * *", "its hour '25' is not from 0 to 23"),
        ("60 7 * * *", "its minute '60' is not from 0 to 59"),
        ("0 7 0 * *", "its day of month '0' is not from 1 to 31"),
        ("0 7 * 13 *", "its month '13' is not from 1 to 12"),
        ("0 7 * * moonday", "its day of week 'moonday' is not from 0 to 7"),
        ("0 7 * * 8", "its day of week '8' is not from 0 to 7"),
        ("5-1 7 * * *", "its minute '5-1' ends before it begins"),
        ("*/0 7 * * *", "its minute '*/0' cannot be read"),
        ("*/ 7 * * *", "its minute '*/' cannot be read"),
        ("1,,2 7 * * *", "its minute '' cannot be read"),
        ("0 7 ? * *", "its day of month '?' cannot be read"),
        ("\u0663 7 * * *", "cannot be read"),
        (f"*/{'9' * 5000} 7 * * *", "cannot be read"),
        (f"{'9' * 5000} 7 * * *", "is not from 0 to 59"),
        ("0 7 30 2 *", "that day never comes"),
        ("0 7 31 4,6,9,11 *", "that day never comes"),
        ("0 7 13 * 5", "it names a day of month and a day of week; name one of them, and * for the other"),
    ],
)
def test_a_cron_expression_that_cannot_be_meant_is_refused_with_an_example(expression: str, says: str) -> None:
    with pytest.raises(UserError) as refused:
        by_cron(expression)
    assert says in str(refused.value)
    assert str(refused.value).endswith("month, day of week, for example '0 7 * * 1-5'")
    assert len(str(refused.value)) < 400


def test_a_time_zone_is_one_that_there_is() -> None:
    assert by_cron("0 7 * * *", "Europe/London").words == "every day at 07:00 Europe/London"
    for name in ("Mars/Olympus", "", "Europe", "../../etc/passwd", "a" * 500, "Europe/London\0"):
        with pytest.raises(UserError, match=r"there is no time zone '.*one is named like Europe/London or UTC"):
            by_cron("0 7 * * *", name)
    with pytest.raises(UserError, match="near it: Europe/London"):
        by_cron("0 7 * * *", "europe/london")


def test_where_no_time_zones_are_known_temporal_is_left_to_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> None:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(zoneinfo, "ZoneInfo", unknown)
    monkeypatch.setattr(zoneinfo, "available_timezones", set[str])

    assert by_cron("0 7 * * *", "Europe/London").time_zone == "Europe/London"


def test_what_an_older_release_wrote_is_read() -> None:
    assert When.model_validate({"cron": "0 7 * * *", "moon": "full"}) == When(cron="0 7 * * *")


def test_a_schedule_without_a_name_has_that_of_its_user() -> None:
    assert schedule_id("Harry", "orders") == "repair-schedule-Harry"
    assert schedule_id("Harry", "alerts") == "repair-schedule-Harry-alerts"
    assert schedule_id("\u54c8\u5229", "orders") != schedule_id("\u7f57\u6069", "orders"), (
        "in letters an id cannot have"
    )


@pytest.mark.parametrize("name", ["nightly", "repair-x", "a.b_c-1", "x" * 120])
def test_a_name_can_be_an_id_and_its_runs_begin_like_repairs(name: str) -> None:
    assert fits_schedule_id(name)
    assert scheduled_repair_prefix(name).startswith("repair-")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-a", "..", "x" * 121, "caf\u00e9", "a\n"])
def test_a_name_that_would_be_read_otherwise_is_none(name: str) -> None:
    assert not fits_schedule_id(name)


def test_a_span_is_told_in_units() -> None:
    assert span_in_words(DAY + 2 * HOUR + 3 * SECOND) == "1 day 2 hours 3 seconds"
    assert span_in_words(timedelta()) == "0 seconds"
