"""What is known of the records of an ended repair that its report, which stays as it is, cannot say."""

from daper.bootstrap import open_domains
from daper.core.errors import DaperError
from daper.core.outcomes import RepairResult
from daper.core.text import shown
from daper.core.views import RepairView
from daper.service.records import RecordsService
from daper.settings import Settings


async def since_then(settings: Settings, look: RepairView | RepairResult) -> list[str]:
    """A line for each fact that was told since; none where the records are not here."""
    if not isinstance(look, RepairResult):
        return []
    try:
        told = await RecordsService(domains=open_domains(settings)).told_since(look)
    except DaperError:  # that the records cannot be read says nothing of the repair
        return []
    return [
        f"Since then: {shown(each.record_id)}: {each.fact} was told on {each.told_at:%Y-%m-%d %H:%M:%S} UTC "
        f"by {shown(each.by.name)} ({each.by.how})"
        for each in told
    ]
