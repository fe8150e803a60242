"""What the tests of the orders domain share."""

from pathlib import Path

import pytest
from orders_shop import Shop, shipped_shop


@pytest.fixture
async def shop(tmp_path: Path) -> Shop:
    """The shipped records in a folder of their own."""
    return await shipped_shop(tmp_path / "data")
