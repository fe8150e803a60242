"""Takes kept histories into a real server, as `tdbg workflow import` does, so that the runs in them go on there.

The server of `temporal` answers the admin calls of a cluster on its usual port, and imports, but only where its own
metadata says that namespaces may be global: there is no option for that, so it is written into its file before its
second start. The admin calls are no part of the public API and no client for Python has them: hence HTTP/2 by hand, one
call on a connection, each small enough for the first window.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Final

from hpack import Decoder, Encoder
from temporalio.api.common.v1 import DataBlob, WorkflowExecution
from temporalio.api.enums.v1 import EncodingType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowHistory

from daper.adapters.temporal.codec import data_converter
from daper.adapters.temporal.embedded import embedded_server
from daper.clock import utc_now

_GLOBAL: Final = b"\x48\x01"  # field 9 of the cluster's metadata, is_global_namespace_enabled: true
_IMPORT: Final = "/temporal.server.api.adminservice.v1.AdminService/ImportWorkflowExecution"
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING = 0, 1, 4, 6
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_WINDOW: Final = b"\x00\x04\x01\x00\x00\x00"  # what may be sent to us in one stream: 16 MiB
_LONGEST_FRAME: Final = 16_384
_AT_ONCE: Final = 30_000  # of history in one call: with the token, less than the first window of 65,535
_WITHIN: Final = 20


@asynccontextmanager
async def importing_server(folder: Path) -> AsyncGenerator[Client]:
    """A server that takes histories, and a client of it."""
    file = folder / "temporal.db"
    server = partial(embedded_server, log_file=folder / "temporal.log", extra_args=["--db-filename", str(file)])
    async with server():
        pass
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE cluster_metadata_info SET data = data || ?", (_GLOBAL,))
    async with server() as again:
        yield await Client.connect(again.address, data_converter=data_converter())


def renamed(history: WorkflowHistory, workflow_id: str) -> WorkflowHistory:
    """The same history of a workflow of another id, so that it can be taken in again. Its ids were drawn from its run's
    id, which stays.
    """
    history.events[0].workflow_execution_started_event_attributes.workflow_id = workflow_id
    return WorkflowHistory(workflow_id, history.events)


async def take_in(client: Client, *histories: WorkflowHistory) -> None:
    """Make a run of each history, which waits where it ends; the last thing in them happened just now.

    Raises RuntimeError with what the server says.
    """
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    now = utc_now()
    shift = now - max(history.events[-1].event_time.ToDatetime(UTC) for history in histories)
    for history in histories:
        for event in history.events:
            event.event_time.FromDatetime(event.event_time.ToDatetime(UTC) + shift)
            _move(event, described.namespace_info.id)
        started = history.events[0].workflow_execution_started_event_attributes
        execution = WorkflowExecution(workflow_id=history.workflow_id, run_id=started.original_execution_run_id)
        await _import_run(client, execution, history.events)


def _move(event: HistoryEvent, namespace_id: str) -> None:
    """Parents and children are where the event is."""
    which = event.WhichOneof("attributes")
    assert which is not None
    attributes = getattr(event, which)
    for name in ("namespace_id", "parent_workflow_namespace_id"):
        if getattr(attributes, name, ""):
            setattr(attributes, name, namespace_id)


async def _import_run(client: Client, execution: WorkflowExecution, events: Sequence[HistoryEvent]) -> None:
    token, last = b"", events[-1].event_id
    for batches in (*_in_calls([*_batches(events)]), ()):  # the empty one says that it is all
        token = await _import(client, execution, token, last, batches)


def _batches(events: Sequence[HistoryEvent]) -> Iterator[bytes]:
    """As the server writes them: what one workflow task led to together, all else one by one."""
    batch: list[HistoryEvent] = []
    for event in events:
        if batch and _led_to_by(event) != batch[0].event_id:
            yield _blob(batch)
            batch = []
        batch.append(event)
    yield _blob(batch)


def _led_to_by(event: HistoryEvent) -> int:
    which = event.WhichOneof("attributes")
    assert which is not None
    return getattr(getattr(event, which), "workflow_task_completed_event_id", 0)


def _blob(batch: Sequence[HistoryEvent]) -> bytes:
    data = History(events=batch).SerializeToString()
    return DataBlob(encoding_type=EncodingType.ENCODING_TYPE_PROTO3, data=data).SerializeToString()


def _in_calls(batches: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    some: list[bytes] = []
    for batch in batches:
        if some and sum(map(len, some)) + len(batch) > _AT_ONCE:
            yield some
            some = []
        some.append(batch)
    yield some


async def _import(
    client: Client, execution: WorkflowExecution, token: bytes, last: int, batches: Sequence[bytes]
) -> bytes:
    """One call; answers the token for the next. Events of a namespace that is not global have version 0."""
    version_history = _field(2, _field(1, last) + _field(2, 0))
    request = b"".join(
        (
            _field(1, client.namespace.encode()),
            _field(2, execution.SerializeToString()),
            *(_field(3, batch) for batch in batches),
            _field(4, version_history),
            _field(5, token),
        )
    )
    assert len(request) < 2**16 - 1, "it would wait for a wider window"
    async with asyncio.timeout(_WITHIN):
        return _first_field(await _call(client.service_client.config.target_host, request))


def _field(number: int, value: bytes | int) -> bytes:
    """A field of a message; the messages of this call are in no package for Python."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes((low | 0x80,)) + _varint(rest) if rest else bytes((low,))


def _first_field(message: bytes) -> bytes:
    """The bytes of the one field of a message."""
    length, at = 0, 1
    while message:
        length |= (message[at] & 0x7F) << 7 * (at - 1)
        at += 1
        if message[at - 1] < 0x80:
            break
    return message[at : at + length]


async def _call(address: str, message: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", _IMPORT),
        (":authority", address),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    body = b"\0" + len(message).to_bytes(4, "big") + message
    try:
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, _WINDOW))
        writer.write(_frame(_HEADERS, _END_HEADERS, 1, Encoder().encode(head)))
        for at in range(0, len(body), _LONGEST_FRAME):
            piece = body[at : at + _LONGEST_FRAME]
            writer.write(_frame(_DATA, _END_STREAM if at + _LONGEST_FRAME >= len(body) else 0, 1, piece))
        return await _answer(reader, writer)
    finally:
        writer.close()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    decoder, body, headers, ended = Decoder(), b"", dict[str, str](), False
    while not ended:
        head = await reader.readexactly(9)
        payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
        kind, flags = head[3], head[4]
        ended = kind in {_DATA, _HEADERS} and bool(flags & _END_STREAM)
        if kind in {_SETTINGS, _PING} and not flags & _ACK:
            writer.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind == _DATA:
            body += payload
        elif kind == _HEADERS:
            headers |= {str(name): str(value) for name, value in decoder.decode(payload)}
    if headers.get("grpc-status") != "0":
        raise RuntimeError(f"the server does not take the history: {headers}")
    return body[5:]
