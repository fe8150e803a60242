"""What is kept of request keys: where it cannot be looked up, nobody is told that there is nothing."""

import errno
import os
from pathlib import Path

import pytest

from daper.adapters.memory.sqlite import SqliteMemory
from daper.adapters.reports.kept_answers import SqliteAnswers
from daper.core.errors import StoreError
from daper.ports import KeptAnswer


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EACCES, errno.ELOOP])
async def test_a_file_of_answers_that_cannot_be_looked_at_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path, stat = tmp_path / "answers.db", os.stat
    answers = SqliteAnswers(path)
    await answers.keep(KeptAnswer(asked_id="repair-harry-k1", asked="a", repair_id="repair-harry-k1", begun=True))
    memory = SqliteMemory(path.with_name("memory.db"))
    await memory.records_replaced(store_id="s", domain="orders")
    assert not path.with_name("memory.db").exists(), "nothing was remembered, so nothing is made"

    def refuse(at: object, **how: object) -> os.stat_result:
        if str(at).endswith(".db"):
            raise OSError(code, os.strerror(code), str(at))
        return stat(at, **how)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(StoreError, match=r"answers\.db"):
        await answers.find("repair-harry-k1")
    with pytest.raises(StoreError, match=r"memory\.db"):
        await memory.records_replaced(store_id="s", domain="orders")
