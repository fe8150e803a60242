"""How it goes: figures over time, drawn and as tables, and whether everything answers."""

from typing import Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daper.clock import utc_now
from daper.core.access import Access
from daper.entrypoints.web.charts import Series, bar_chart, swatch
from daper.entrypoints.web.console import console_of
from daper.entrypoints.web.forms import asked_line
from daper.entrypoints.web.rendering import page
from daper.entrypoints.web.visitors import require
from daper.service.overview import SPANS, Overview, health, money, overview

_USUAL: Final = "30"


class Chart:
    """A chart with its table: the same numbers, `unit` before each of them."""

    def __init__(
        self, name: str, labels: tuple[str, ...], series: tuple[Series, ...], *, stacked: bool = False, unit: str = ""
    ) -> None:
        self.name = name
        self.labels = labels
        self.series = series
        self.empty = not any(value for each in series for value in each.values)
        told = ", ".join(f"{each.name} {unit}{sum(each.values):,g}" for each in series)
        self.said = f"{name}: {told}"
        self.svg = Markup("") if self.empty else bar_chart(self.said, labels, series, stacked=stacked)
        self.unit = unit

    @property
    def legend(self) -> list[tuple[Markup, str]]:
        """The colours."""
        return [(swatch(each.look), each.name) for each in self.series]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The numbers of each label."""
        return [
            (label, [f"{self.unit}{each.values[at]:,g}" for each in self.series])
            for at, label in enumerate(self.labels)
        ]


async def show(request: Request) -> Response:
    """The figures of some days up to now."""
    require(request, Access.READ)
    console = console_of(request)
    span = asked_line(request.query_params, "days")
    span = span if span in SPANS else _USUAL
    found = await overview(console.figures, now=utc_now(), days=SPANS[span])
    settings = console.settings
    answers = await health(
        console.services.repairs,
        console.records,
        queue=settings.task_queue,
        models=settings.thinking.players,
        now=utc_now(),
    )
    total = found.figures.total
    half, most = found.figures.wait(0.5), found.figures.wait(0.9)
    return page(
        request,
        "overview.html",
        found=found,
        total=total,
        cost=money(total.cost),
        tokens=_many(total.tokens),
        half=None if half is None else _span(half),
        most=None if most is None else _span(most),
        charts=_charts(found),
        health=answers,
        span=span,
        spans=tuple(SPANS),
    )


def _span(seconds: int) -> str:
    """A span that fits a small space: its largest unit, two digits of it."""
    for unit, letter in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            many = seconds / unit
            return f"{many:.0f} {letter}" if many >= 10 else f"{many:.1f} {letter}"
    return f"{seconds} s"


def _many(number: int) -> str:
    """A number that fits a small space: exact below a hundred thousand."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (100_000, "k")):
        if number >= size:
            return f"{number / (1000 if letter == 'k' else size):.3g} {letter}"
    return f"{number:,}"


def _charts(found: Overview) -> list[Chart]:
    labels = tuple(each.label for each in found.stretches)
    days = [each.figures for each in found.stretches]

    def series(name: str, look: str, field: str) -> Series:
        return Series(name=name, look=look, values=[float(getattr(day, field)) for day in days])

    return [
        Chart(
            "Problems found and repaired",
            labels,
            (series("found", "c1", "problems"), series("repaired", "c2", "repaired")),
        ),
        Chart(
            "Actions decided",
            labels,
            (
                series("approved", "c2", "approved"),
                series("rejected", "c3", "rejected"),
                series("expired", "c4", "expired"),
            ),
            stacked=True,
        ),
        Chart(
            "Plans by the time to their decision",
            tuple(label for label, _ in found.waits),
            (Series(name="plans", look="c1", values=[number for _, number in found.waits]),),
        ),
        Chart("Tokens of language models", labels, (series("tokens", "c1", "tokens"),)),
        Chart("Cost of language models", labels, (series("US dollars", "c1", "cost"),), unit="$"),
    ]


ROUTES: Final = (Route("/overview", show, name="overview"),)
