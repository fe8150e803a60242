"""A disk of the chaos run refuses as it is told, and takes everything again afterwards."""

import errno
import os
from pathlib import Path

import pytest

from tests.faults.small_disk import ObedientDisk, Refusal, WordDisk, refusing_disk, word_file

_SAYS = {Refusal.RECORDS_FULL: errno.ENOSPC, Refusal.HOME_FULL: errno.ENOSPC, Refusal.READ_ONLY: errno.EROFS}


@pytest.mark.parametrize("how", list(Refusal))
def test_a_disk_that_obeys_refuses_while_the_word_says_so(tmp_path: Path, how: Refusal) -> None:
    home = tmp_path / "home"
    word, disk, file = WordDisk(home), ObedientDisk(word_file(home)), home / "file"
    word.refuse(how)
    with pytest.raises(OSError, match="file") as refused:
        disk.write_new(file, b"text")
    word.cease()
    disk.write_new(file, b"text")
    assert (refused.value.errno, file.read_bytes()) == (_SAYS[how], b"text")


@pytest.mark.parametrize("how", [Refusal.RECORDS_FULL, Refusal.READ_ONLY])
def test_whatever_disk_there_is_takes_everything_once_it_ceases_to_refuse(tmp_path: Path, how: Refusal) -> None:
    home = tmp_path / "home"
    disk = refusing_disk(home)
    kept, file = ObedientDisk(word_file(home)), home / "data" / "file"
    try:
        kept.make_folder(file.parent)
        disk.refuse(how)
        with pytest.raises(OSError, match=os.strerror(_SAYS[how])) as refused:
            kept.write_new(file, b"text")
        disk.cease()
        file.unlink(missing_ok=True)
        kept.write_new(file, b"text")
        assert (refused.value.errno, file.read_bytes()) == (_SAYS[how], b"text")
    finally:
        disk.end()
