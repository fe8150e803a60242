"""What is kept of request keys: where it cannot be looked up, nobody is told that there is nothing."""

import errno
import os
from pathlib import Path

import pytest

from daper.adapters.memory.tables import MemoryTables
from daper.adapters.reports.kept_answers import KeptAnswers
from daper.adapters.state import StatePlace
from daper.core.errors import StoreError
from daper.ports import KeptAnswer


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ELOOP])
async def test_a_file_of_answers_that_cannot_be_looked_at_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    state, stat = StatePlace(home=tmp_path), os.stat
    memory, answers = MemoryTables(state.database()), KeptAnswers(state.database)
    await memory.records_replaced(store_id="s", domain="orders")
    assert await answers.find("repair-harry-k1") is None
    assert list(tmp_path.iterdir()) == [], "nothing was remembered, so nothing is made"
    await answers.keep(KeptAnswer(asked_id="repair-harry-k1", asked="a", repair_id="repair-harry-k1", begun=True))

    def refuse(at: object, **how: object) -> os.stat_result:
        if str(at).endswith(".db"):
            raise OSError(code, os.strerror(code), str(at))
        return stat(at, **how)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(StoreError, match=r"daper\.db"):
        await answers.find("repair-harry-k1")
    with pytest.raises(StoreError, match=r"daper\.db"):
        await memory.records_replaced(store_id="s", domain="orders")
