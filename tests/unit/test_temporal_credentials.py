"""What the variables of Temporal's TLS name: a file, or a refusal that names the variable."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daper.adapters.temporal.credentials import prepare
from daper.core.errors import SettingError

NAMES = ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH")


@dataclass(frozen=True)
class Configured:
    """What connecting needs of the settings."""

    temporal: dict[str, str] = field(default_factory=dict[str, str])
    address: str = "localhost:7233"
    address_source: str = "TEMPORAL_ADDRESS"
    namespace: str = "default"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", NAMES)
def test_a10_a_pipe_in_the_place_of_a_key_or_a_certificate_is_refused_and_not_waited_for(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    with pytest.raises(SettingError) as refused:
        prepare(Configured({"TEMPORAL_TLS": "true", name: str(path)}))

    assert str(refused.value) == f"{name}: cannot read {str(path)!r}: it is a pipe, and no file"


@pytest.mark.parametrize("name", NAMES)
def test_a10_a_path_to_nothing_and_a_folder_are_refused_by_name(name: str, tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none", "No such file or directory"), (tmp_path, "it is a folder")):
        with pytest.raises(SettingError, match=rf"^{name}: cannot read .*: {why}$"):
            prepare(Configured({"TEMPORAL_TLS": "true", name: str(path)}))
