"""What Temporal is told to start for an order, whoever starts it: the request, and what a repair is listed by."""

from dataclasses import dataclass

from temporalio.common import TypedSearchAttributes

from daper.core.messages import RepairRequest
from daper.core.models import StoreInfo
from daper.core.policy import ApprovalPolicy
from daper.service.requests import StartRepair
from daper.workflows.names import REQUEST_MEMO, USER_MEMO, repair_summary, user_attributes
from daper.workflows.queues import activity_queue


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A repair as it is started: its input, its memo, its search attributes where they are registered, its line."""

    request: RepairRequest
    memo: dict[str, str]
    search_attributes: TypedSearchAttributes | None
    summary: str


def launch_of(order: StartRepair, store: StoreInfo, *, queue: str, indexed: bool, policy: ApprovalPolicy) -> Launch:
    """How the order is started on a task queue, for the store that answered, within the policy of a service."""
    user, order = order.requested_by.name, order.under(policy)
    return Launch(
        request=RepairRequest(
            store_id=store.store_id,
            activity_queue=activity_queue(queue, store.store_id),
            indexed=indexed,
            **{name: value for name, value in dict(order).items() if name in RepairRequest.model_fields},
        ),
        memo={USER_MEMO: user, REQUEST_MEMO: order.same_as(store.store_id)},
        search_attributes=user_attributes(user, indexed=indexed),
        summary=repair_summary(order.domain, user),
    )
