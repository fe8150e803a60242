"""What shows repairs to a command: the service, or where Temporal is away the reports that are kept."""

from daper.bootstrap import open_service
from daper.core.errors import Unreachable
from daper.service.kept_repairs import KeptRepairs
from daper.service.repairs import RepairService
from daper.settings import Settings


async def open_repairs(settings: Settings) -> RepairService | KeptRepairs:
    """The service, or what is kept where Temporal cannot be reached. Raises SettingError."""
    try:
        return await open_service(settings)
    except Unreachable as error:
        return KeptRepairs(settings.state.reports(), away=error)


def kept_note(service: RepairService | KeptRepairs) -> list[str]:
    """Says where it is from, if not from Temporal."""
    return [f"From the report that is kept: {service.away}"] if isinstance(service, KeptRepairs) else []
