"""Which cluster the domain of Temporal looks at: daper's own, or another one that gets nothing of daper's own keys."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from daper.bootstrap import open_domains
from daper.core.errors import SettingError
from daper.settings import Settings, load_settings
from daper.settings.temporal_profile import ClusterChoice, cluster_of, in_names_of

PREFIX = "DAPER_TEMPORAL_"
OURS = {
    "TEMPORAL_ADDRESS": "ours.example:7233",
    "TEMPORAL_NAMESPACE": "ours",
    "TEMPORAL_API_KEY": "key-of-ours",
    "TEMPORAL_GRPC_META_X_TOKEN": "token-of-ours",
}


def settings_of(folder: Path, values: Mapping[str, str]) -> Settings:
    return load_settings(environ={"HOME": str(folder), **OURS, **values}, folder=folder)


def chosen(folder: Path, **place: str) -> ClusterChoice:
    return cluster_of(settings_of(folder, {}), place, prefix=PREFIX)


def a_profile(folder: Path, text: str) -> None:
    path = folder / ".config" / "temporalio" / "temporal.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_without_a_place_it_is_our_own_cluster_with_our_keys(tmp_path: Path) -> None:
    found = chosen(tmp_path)
    assert (found.address, found.namespace) == ("ours.example:7233", "ours")
    assert found.temporal["TEMPORAL_API_KEY"] == "key-of-ours"


def test_another_namespace_is_one_of_our_own_cluster(tmp_path: Path) -> None:
    found = chosen(tmp_path, namespace="theirs")
    assert (found.address, found.namespace) == ("ours.example:7233", "theirs")
    assert found.temporal["TEMPORAL_API_KEY"] == "key-of-ours"


def test_another_cluster_gets_none_of_our_keys_and_headers(tmp_path: Path) -> None:
    a_profile(tmp_path, '[profile.default]\napi_key = "key-in-our-profile"\nnamespace = "ours"\n')
    found = chosen(tmp_path, address="theirs.example:7233")
    assert (found.address, found.namespace) == ("theirs.example:7233", "default")
    assert found.temporal == {"TEMPORAL_ADDRESS": "theirs.example:7233"}


def test_a_profile_of_our_file_may_be_named_for_another_cluster(tmp_path: Path) -> None:
    a_profile(tmp_path, '[profile.theirs]\naddress = "theirs.example:7233"\nnamespace = "there"\n')
    found = chosen(tmp_path, profile="theirs")
    assert (found.address, found.namespace) == ("theirs.example:7233", "there")
    assert not {"TEMPORAL_API_KEY", "TEMPORAL_GRPC_META_X_TOKEN"} & found.temporal.keys()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"address": "theirs"}, r"^DAPER_TEMPORAL_ADDRESS is 'theirs'; it must be host:port"),
        (
            {"api_key": "k"},
            r"^DAPER_TEMPORAL_API_KEY is set, .*: set DAPER_TEMPORAL_ADDRESS, or DAPER_TEMPORAL_PROFILE$",
        ),
        ({"profile": "none"}, r"^DAPER_TEMPORAL_PROFILE is 'none', and no address .*; set DAPER_TEMPORAL_ADDRESS$"),
    ],
)
def test_what_is_wrong_is_told_by_its_variable(tmp_path: Path, place: dict[str, str], told: str) -> None:
    with pytest.raises(SettingError, match=told) as refused:
        chosen(tmp_path, **place)
    assert "key-of-ours" not in str(refused.value)


def test_what_is_told_of_the_official_variables_is_told_of_the_domains(tmp_path: Path) -> None:
    told = "it wants credentials; set TEMPORAL_API_KEY, or DAPER_TEMPORAL_TLS, not MY_TEMPORAL_X"
    expected = "it wants credentials; set DAPER_TEMPORAL_API_KEY, or DAPER_TEMPORAL_TLS, not MY_TEMPORAL_X"
    assert in_names_of(PREFIX, told) == expected


def test_the_domain_is_there_only_where_its_query_is_set(tmp_path: Path) -> None:
    assert "temporal" not in open_domains(settings_of(tmp_path, {}))
    assert "temporal" in open_domains(settings_of(tmp_path, {"DAPER_TEMPORAL_QUERY": "*"}))
    assert "temporal" not in open_domains(settings_of(tmp_path, {"DAPER_TEMPORAL_QUERY": " "}))
