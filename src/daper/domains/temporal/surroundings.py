"""What is around a workflow and takes a call of its own to know: which signals it takes, which versions there are."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from daper.core.errors import NoWorker, StoreError
from daper.domains.temporal.cluster import Cluster
from daper.domains.temporal.workflow import WorkflowRecord
from daper.ports.domain import Record

_MOST_ASKED: Final = 50
_AT_ONCE: Final = 5


class _Named(BaseModel):
    name: str = ""


class _Definition(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    signal_definitions: tuple[_Named, ...] = ()


class _Metadata(BaseModel):
    definition: _Definition | None = None


async def with_surroundings(cluster: Cluster, records: Sequence[Record], *, signals: bool) -> tuple[Record, ...]:
    """The records with what is around them. `signals`: whether any may be sent, so that it matters who takes which.

    Of the first of those that run only, and of one queue only while somebody answers there: a worker may take its time.
    """
    gate = asyncio.Semaphore(_AT_ONCE)
    running = [each for each in records if isinstance(each, WorkflowRecord) and each.state.is_running]
    silent: set[str] = set()
    asked = {each.ref for each in running[:_MOST_ASKED]} if signals else set[str]()
    deployments = dict.fromkeys(each.state.deployment for each in running if each.state.deployment)
    versions = {name: await _versions(cluster, name) for name in deployments}

    async def one(record: Record) -> Record:
        if not isinstance(record, WorkflowRecord):
            return record
        state = record.state
        known = replace(record, state=replace(state, versions=versions.get(state.deployment, ())))
        if record.ref not in asked:
            return known
        async with gate:
            if state.queue in silent:
                return known
            try:
                return await _with_handlers(cluster, known)
            except NoWorker:
                silent.add(state.queue)
                return known

    return tuple(await asyncio.gather(*map(one, records)))


async def with_versions(cluster: Cluster, record: WorkflowRecord) -> WorkflowRecord:
    """A workflow with the versions of its deployment that are in use."""
    if not record.state.deployment:
        return record
    return replace(record, state=replace(record.state, versions=await cluster.versions(record.state.deployment)))


async def _versions(cluster: Cluster, deployment: str) -> tuple[str, ...]:
    """Those in use; none where the server does not say: without them nothing is moved, and all else is as it is."""
    try:
        return await cluster.versions(deployment)
    except StoreError:
        return ()


async def _with_handlers(cluster: Cluster, record: WorkflowRecord) -> WorkflowRecord:
    """A workflow with the signals that it takes, where a worker says so at once."""
    said = await cluster.metadata(record.state.workflow_id, record.state.run_id)
    if said is None:
        return record
    try:
        found = _Metadata.model_validate_json(said)
    except ValidationError:  # what a worker says is data
        return record
    if found.definition is None:
        return record
    names = frozenset(each.name for each in found.definition.signal_definitions)
    return replace(record, state=replace(record.state, handlers=names))
