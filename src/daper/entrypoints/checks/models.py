"""What `daper doctor` finds out about language models: one cheap call of each."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from daper.agents.llm.config import ThinkingSettings
from daper.bootstrap import open_models
from daper.clock import new_id, utc_now
from daper.core.errors import DaperError
from daper.core.messages import CycleRef
from daper.core.usage import Role
from daper.settings import Settings


async def check_models(settings: Settings) -> list[tuple[str, bool, str]]:
    """For each model that is configured its roles, whether it answers, and what was found: one call, next to nothing.

    What the call takes counts for no repair, and is written down nowhere.
    """
    found: list[tuple[str, bool, str]] = []
    with TemporaryDirectory(prefix="daper-doctor-") as folder:
        for roles in _by_model(settings.thinking):
            name = f"model {settings.thinking.name(roles[0])}, for {', '.join(roles)}"
            try:
                found.append((name, True, await _ask(settings, roles[0], Path(folder))))
            except DaperError as error:
                found.append((name, False, str(error)))
    return found


async def _ask(settings: Settings, role: Role, folder: Path) -> str:
    only = replace(settings.thinking, choices={role: settings.thinking.choices[role]})
    models = await open_models(replace(settings, home=folder, database_url=None, thinking=only))
    if models is None:
        return "the rules"
    cycle = CycleRef(repair_id="doctor", cycle_id=new_id(), domain="", store_id="", today=utc_now())
    began = time.perf_counter()
    async with models:
        spent = await models.ping(role, cycle)
    took = time.perf_counter() - began
    return f"answers in {took:.1f} s, asked in the form {models.mode(role)!r}; that took {spent}"


def _by_model(thinking: ThinkingSettings) -> Sequence[list[Role]]:
    """The roles of each model together."""
    roles: dict[tuple[str, str], list[Role]] = {}
    for role, choice in thinking.choices.items():
        roles.setdefault((choice.name, choice.base_url), []).append(role)
    return tuple(roles.values())
