"""Lets whatever an activity does go by the time of Temporal's server: by when that sent it."""

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from daper.clock import timed_by


class ServerTime(Interceptor):
    """Of a worker: `daper.clock.agreed_now` is the server's time in each of its activities."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Around each of them."""
        return _Timed(next)


class _Timed(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> object:
        with timed_by(activity.info().started_time):
            return await super().execute_activity(input)
