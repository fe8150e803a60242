"""Compresses large payloads, so that a repair at the cap of problems stays far below Temporal's limits."""

import dataclasses
import zlib
from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, PayloadCodec

_ENCODING = b"binary/daper-zlib"
_LARGE = 16 * 1024
_LARGEST = 64 * 1024 * 1024


class ZlibCodec(PayloadCodec):
    """Payloads over 16 KiB are compressed; smaller ones stay readable in the Temporal UI.

    Temporal refuses a payload of more than 2 MB. Decoding refuses what unpacks to more than 64 MB.
    """

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Compress the large ones."""
        return [_packed(payload) if len(payload.data) > _LARGE else payload for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Unpack what `encode` compressed. Raises ValueError for what is damaged or too large."""
        return [
            _unpacked(payload) if payload.metadata.get("encoding") == _ENCODING else payload for payload in payloads
        ]


def _packed(payload: Payload) -> Payload:
    return Payload(metadata={"encoding": _ENCODING}, data=zlib.compress(payload.SerializeToString(), level=6))


def _unpacked(payload: Payload) -> Payload:
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(payload.data, _LARGEST)
    except zlib.error as error:
        raise ValueError(f"a compressed payload is damaged: {error}") from error
    if not unpacking.eof:
        raise ValueError(f"a compressed payload is cut off, or unpacks to more than {_LARGEST} bytes")
    return Payload.FromString(data)


def data_converter() -> DataConverter:
    """How everything of ours crosses Temporal: pydantic models as JSON, compressed where large."""
    return dataclasses.replace(pydantic_data_converter, payload_codec=ZlibCodec())
