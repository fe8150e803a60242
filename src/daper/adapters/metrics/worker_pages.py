"""The three pages of a worker: that it lives, whether it is ready, and what it counts."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from daper.adapters.metrics.exporter import Exporter
from daper.adapters.metrics.pages import Answer, Page
from daper.adapters.metrics.readiness import Readiness

HEALTH: Final = "/health"
READY: Final = "/ready"
METRICS: Final = "/metrics"
PATHS: Final = (HEALTH, READY, METRICS)

_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"


def worker_pages(readiness: Readiness, exporter: Exporter | None) -> Mapping[str, Page]:
    """The pages by their paths."""

    async def health() -> Answer:
        return _said({"alive": True})  # that it is answered at all says so

    async def ready() -> Answer:
        obstacle = await readiness.obstacle()
        if obstacle:
            return _said({"ready": False, "reason": obstacle}, HTTPStatus.SERVICE_UNAVAILABLE)
        notes = await readiness.notes()
        return _said({"ready": True, "notes": notes} if notes else {"ready": True})

    async def metrics() -> Answer:
        try:
            text = await exporter.text() if exporter else None
        except OSError:
            text = None
        if text is None:
            return _said({"reason": "this process counts nothing"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return Answer(text, media=_PROMETHEUS)

    return {HEALTH: health, READY: ready, METRICS: metrics}


def _said(document: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return Answer(json.dumps(document).encode() + b"\n", status)
