"""Where the SDK's core writes its log lines, and what it counts."""

import dataclasses
import logging
from typing import Final

from temporalio.runtime import LogForwardingConfig, LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig

_SET_UP: Final[list[Runtime]] = []


def core_logs_as_python_does(*, metrics: PrometheusConfig | None = None) -> None:
    """Send what the SDK's core has to say to Python's logging; by itself it writes to stdout, among our output.

    Has to come before the first connection of the process, and is done once: each runtime has threads and files.
    `metrics`: it counts too, and shows that there. Raises ValueError where it cannot.
    """
    if _SET_UP:
        return
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    telemetry = TelemetryConfig(
        logging=dataclasses.replace(LoggingConfig.default, forwarding=forwarding),
        metrics=metrics,
        attach_service_name=False,
    )
    runtime = Runtime(telemetry=telemetry)
    Runtime.set_default(runtime, error_if_already_set=False)
    _SET_UP.append(runtime)
