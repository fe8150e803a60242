"""What Temporal is told to start for an order, whoever starts it: the request, and what a repair is listed by."""

from dataclasses import dataclass

from temporalio.common import TypedSearchAttributes

from daper.core.messages import RepairRequest
from daper.core.models import StoreInfo
from daper.service.requests import StartRepair
from daper.workflows.labels import repair_memo, repair_summary, user_attributes
from daper.workflows.queues import activity_queue


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A repair as it is started: its input, its memo, its search attributes where they are registered, its line."""

    request: RepairRequest
    memo: dict[str, str]
    search_attributes: TypedSearchAttributes | None
    summary: str


def launch_of(order: StartRepair, store: StoreInfo, *, queue: str, indexed: bool) -> Launch:
    """How the order is started on a task queue, for the store that answered."""
    user = order.requested_by.name
    request = RepairRequest(
        store_id=store.store_id,
        activity_queue=activity_queue(queue, store.store_id),
        indexed=indexed,
        **{name: value for name, value in dict(order).items() if name in RepairRequest.model_fields},
    )
    return Launch(
        request=request,
        memo=repair_memo(request),
        search_attributes=user_attributes(user, indexed=indexed),
        summary=repair_summary(request),
    )
