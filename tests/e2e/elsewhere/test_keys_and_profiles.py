"""API keys, namespaces, and profiles of Temporal's configuration file."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from daper.core.errors import SettingError
from tests.e2e.elsewhere.conftest import Elsewhere
from tests.e2e.elsewhere.papers import API_KEY, NAMESPACE

pytestmark = pytest.mark.long

Variables = Mapping[str, str]

CA = {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": "ca.pem"}
KEY = {"TEMPORAL_API_KEY": API_KEY}
PROFILES = """
[profile.cloud]
address = "{api-key}"
namespace = "{namespace}"
api_key = "{key}"
[profile.cloud.tls]
server_ca_cert_path = "{folder}/ca.pem"

[profile.cluster]
address = "{mtls}"
[profile.cluster.tls]
server_ca_cert_path = "{folder}/ca.pem"
client_cert_path = "{folder}/client.pem"
client_key_path = "{folder}/client.key"

[profile.stranger]
address = "{mtls}"
[profile.stranger.tls]
server_ca_cert_path = "{folder}/other-ca.pem"

[profile.unread]
address = "{mtls}"
[profile.unread.tls]
client_key_path = "/no/such.key"
client_cert_path = "{folder}/client.pem"

[profile.pasted]
address = "{mtls}"
[profile.pasted.tls]
client_cert_path = "{folder}/client.pem"
client_key_path = '''{pasted}'''
"""


@pytest.fixture
def profile(elsewhere: Elsewhere, tmp_path: Path) -> Variables:
    """The variable that names the configuration file."""
    path = tmp_path / "temporal.toml"
    papers = elsewhere.papers
    pasted = papers.path("client.key").read_text("ascii")
    values = {**elsewhere.doors, "namespace": NAMESPACE, "key": API_KEY, "folder": str(papers.folder), "pasted": pasted}
    path.write_text(PROFILES.format(**values), "utf-8")
    return {"TEMPORAL_CONFIG_FILE": str(path)}


@pytest.mark.parametrize("key", [KEY, {"TEMPORAL_GRPC_META_AUTHORIZATION": f"Bearer {API_KEY}"}])
def test_an_api_key_is_taken_as_itself_and_as_a_header(elsewhere: Elsewhere, key: Variables) -> None:
    connected = elsewhere.connect({"TEMPORAL_ADDRESS": "api-key", **CA, **key})

    assert connected.service_client.config.target_host == elsewhere.doors["api-key"]


def test_an_api_key_turns_tls_on_and_may_go_without_only_where_that_is_said(elsewhere: Elsewhere) -> None:
    error = elsewhere.refused({"TEMPORAL_ADDRESS": "plain", **KEY})
    elsewhere.connect({"TEMPORAL_ADDRESS": "gate", "TEMPORAL_TLS": "false", **KEY})

    assert str(error).endswith(
        ": it does not speak TLS; if that is meant, set TEMPORAL_TLS=false, which would send the API key in the clear; "
        "else set TEMPORAL_ADDRESS"
    )


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"TEMPORAL_API_KEY": "planted"},
            "it refused the credentials; look at TEMPORAL_API_KEY and TEMPORAL_NAMESPACE",
        ),
        (
            {},
            "it wants credentials; set TEMPORAL_API_KEY, or set TEMPORAL_TLS_CLIENT_CERT_PATH and "
            "TEMPORAL_TLS_CLIENT_KEY_PATH",
        ),
        (
            {"TEMPORAL_TLS_CERT": "client.pem", "TEMPORAL_TLS_KEY": "client.key"},
            "it refused the credentials; look at TEMPORAL_TLS_CLIENT_CERT_PATH ('client.pem') and TEMPORAL_NAMESPACE, "
            "or set TEMPORAL_API_KEY",
        ),
        (
            {"TEMPORAL_NAMESPACE": "nowhere", **KEY},
            "there is no such namespace; set TEMPORAL_NAMESPACE to one that exists, "
            "or create it: `temporal operator namespace create`",
        ),
    ],
)
def test_credentials_that_do_not_fit_are_settings_to_mend(
    elsewhere: Elsewhere, variables: Variables, said: str
) -> None:
    error = elsewhere.refused({"TEMPORAL_ADDRESS": "api-key", **CA, **variables})

    assert str(error).replace(f"{elsewhere.papers.folder}/", "").endswith(f": {said}")
    assert isinstance(error, SettingError)


@pytest.mark.parametrize(
    ("variables", "door", "namespace"),
    [
        ({"TEMPORAL_PROFILE": "cloud"}, "api-key", NAMESPACE),
        ({"TEMPORAL_PROFILE": "cluster"}, "mtls", "default"),
        ({"TEMPORAL_PROFILE": "cluster", "TEMPORAL_NAMESPACE": NAMESPACE}, "mtls", NAMESPACE),
        ({"TEMPORAL_PROFILE": "cloud", "TEMPORAL_NAMESPACE": "default"}, "api-key", "default"),
        ({"TEMPORAL_PROFILE": "cloud", "TEMPORAL_ADDRESS": "plain", "TEMPORAL_TLS": "false"}, "plain", NAMESPACE),
        ({"TEMPORAL_PROFILE": "stranger", **CA, "TEMPORAL_ADDRESS": "tls"}, "tls", "default"),
    ],
)
def test_a_profile_is_used_and_the_environment_wins(
    elsewhere: Elsewhere, profile: Variables, variables: Variables, door: str, namespace: str
) -> None:
    connected = elsewhere.connect({**profile, **variables})

    assert connected.service_client.config.target_host == elsewhere.doors[door]
    assert connected.namespace == namespace


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"TEMPORAL_PROFILE": "nope"}, "Profile 'nope' not found; mend 'FILE'"),
        (
            {"TEMPORAL_PROFILE": "stranger"},
            "its certificate was not issued by the CA in the profile 'stranger' of 'FILE'",
        ),
        (
            {"TEMPORAL_PROFILE": "unread"},
            "the profile 'unread' of 'FILE': cannot read '/no/such.key': No such file or directory",
        ),
        (
            {"TEMPORAL_PROFILE": "pasted"},
            "the profile 'pasted' of 'FILE': cannot read what is no path but the data itself",
        ),
        (
            {"TEMPORAL_PROFILE": "cluster", "TEMPORAL_TLS_SERVER_CA_CERT_DATA": "<ca.pem"},
            "Cannot specify server CA cert data via TEMPORAL_TLS_SERVER_CA_CERT_DATA when server CA cert path is",
        ),
        (
            {"TEMPORAL_PROFILE": "cloud", "TEMPORAL_API_KEY": "planted"},
            "look at TEMPORAL_API_KEY and TEMPORAL_NAMESPACE",
        ),
    ],
)
def test_a_profile_that_does_not_fit_is_named(
    elsewhere: Elsewhere, profile: Variables, variables: Variables, said: str
) -> None:
    error = elsewhere.refused({**profile, **variables})

    assert said in str(error).replace(profile["TEMPORAL_CONFIG_FILE"], "FILE")
    assert isinstance(error, SettingError)
