"""Large payloads are compressed on their way, small ones stay readable, and damaged ones are refused."""

import zlib

import pytest
from temporalio.api.common.v1 import Payload

from daper.adapters.temporal.codec import ZlibCodec


def payload(size: int) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=b'"' + b"badger " * (size // 7) + b'"')


async def test_a_large_payload_comes_back_as_it_went() -> None:
    packed = await ZlibCodec().encode([payload(2_000_000)])
    assert len(packed[0].data) < 100_000
    assert await ZlibCodec().decode(packed) == [payload(2_000_000)]


async def test_a_small_payload_stays_readable_in_the_temporal_ui() -> None:
    small = payload(10_000)
    assert await ZlibCodec().encode([small]) == [small]
    assert await ZlibCodec().decode([small]) == [small]


@pytest.mark.parametrize("data", [b"no zlib at all", zlib.compress(b"x" * 1000)[:10]])
async def test_a_damaged_payload_is_refused(data: bytes) -> None:
    damaged = Payload(metadata={"encoding": b"binary/daper-zlib"}, data=data)
    with pytest.raises(ValueError, match="compressed payload is"):
        await ZlibCodec().decode([damaged])


async def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = Payload(metadata={"encoding": b"binary/daper-zlib"}, data=zlib.compress(b"\0" * (65 * 1024 * 1024)))
    with pytest.raises(ValueError, match="unpacks to more than"):
        await ZlibCodec().decode([bomb])
