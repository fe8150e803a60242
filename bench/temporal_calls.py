"""How often Temporal is asked what, as the SDK itself counts it."""

from collections import Counter

from temporalio.client import Client
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig

from daper.adapters.temporal.codec import data_converter

_REQUESTS = frozenset({"temporal_request", "temporal_long_request"})


class CountedCalls:
    """The calls of one client."""

    def __init__(self, client: Client, buffer: MetricBuffer) -> None:
        self.client = client
        self._buffer = buffer

    def since(self) -> Counter[str]:
        """The calls since it was asked the last time, by what they ask for."""
        calls = Counter[str]()
        for update in self._buffer.retrieve_updates():
            if update.metric.name in _REQUESTS:
                calls[str(update.attributes["operation"])] += int(update.value)
        return calls


async def counted_calls(like: Client) -> CountedCalls:
    """Another client of the same server and namespace, whose calls are counted."""
    buffer = MetricBuffer(100_000)
    runtime = Runtime(telemetry=TelemetryConfig(metrics=buffer))
    client = await Client.connect(
        like.service_client.config.target_host,
        namespace=like.namespace,
        data_converter=data_converter(),
        runtime=runtime,
    )
    return CountedCalls(client, buffer)
