"""Where the SDK's core writes its log lines."""

import dataclasses
import functools
import logging

from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig


@functools.cache
def core_logs_as_python_does() -> None:
    """Send what the SDK's core has to say to Python's logging; by itself it writes to stdout, among our output.

    Has to come before the first connection of the process, and is done once: each runtime has threads and files.
    """
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    telemetry = TelemetryConfig(logging=dataclasses.replace(LoggingConfig.default, forwarding=forwarding))
    Runtime.set_default(Runtime(telemetry=telemetry), error_if_already_set=False)
