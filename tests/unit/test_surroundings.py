"""Certificates and proxies that the environment names: what is wrong there is said by the variable's name."""

import ssl
from pathlib import Path

import pytest

from daper.adapters import trust
from daper.adapters.notify.certificates import refused
from daper.adapters.temporal.refusals import Attempt, not_connected
from daper.settings import load_settings

BARE = Attempt(where="Temporal", name="here", tls=True, has_api_key=False, ca=None, cert=None, key=None)
UNKNOWN = "Server connection error: tonic::transport::Error(Transport, ConnectError(InvalidCertificate(UnknownIssuer)))"


def warnings(folder: Path, **variables: str) -> tuple[str, ...]:
    return load_settings(environ={"HOME": str(folder), **variables}, folder=folder).warnings(["orders"])


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        (
            "SSL_CERT_FILE",
            "/nonexistent",
            "SSL_CERT_FILE is '/nonexistent', and there is no such file that can be read;",
        ),
        ("SSL_CERT_DIR", "/nonexistent:/none", "SSL_CERT_DIR is '/nonexistent:/none', and there is no such folder;"),
        ("ALL_PROXY", "socks://p:1", "ALL_PROXY is 'socks://p:1'; it must begin with http://, https://, socks5://,"),
        ("https_proxy", "ftp://u:planted@p:1", "https_proxy is 'ftp://***@p:1'; it must begin with http://"),
    ],
)
def test_a12_a_variable_that_cannot_be_used_is_named(name: str, value: str, told: str, tmp_path: Path) -> None:
    (said,) = warnings(tmp_path, **{name: value})

    assert said.startswith(told)
    assert "planted" not in said


def test_a12_what_can_be_used_is_not_told_of(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")

    said = warnings(
        tmp_path,
        SSL_CERT_FILE=str(tmp_path / "ca.pem"),
        SSL_CERT_DIR=f"/nonexistent:{tmp_path}",
        HTTPS_PROXY="http://p:1",
        ALL_PROXY="socks5://p:1",
        http_proxy="p:1",
    )

    assert said == ()


def test_a12_in_dotenv_such_a_variable_does_nothing_and_that_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SSL_CERT_FILE=/nonexistent\nhttps_proxy=http://p:1\n")

    assert warnings(tmp_path) == (
        "SSL_CERT_FILE stands in .env, and does nothing there; set it in the environment",
        "https_proxy stands in .env, and does nothing there; set it in the environment",
    )


def test_a12_a_server_that_is_not_trusted_is_told_with_the_variable_that_says_whom_to_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, usual = tmp_path / "other.pem", tmp_path / "usual.pem"
    other.write_text("")
    usual.write_text("")

    def paths(found: Path | None) -> None:
        said = ssl.DefaultVerifyPaths(str(found), "/", "SSL_CERT_FILE", str(usual), "SSL_CERT_DIR", "/")
        if found is None:
            said = said._replace(cafile=None)
        monkeypatch.setattr(trust.ssl, "get_default_verify_paths", lambda: said)

    error = ssl.SSLCertVerificationError()
    error.verify_code = 20

    paths(other)
    assert f"SSL_CERT_FILE is {str(other)!r}" in refused(error)
    assert f"or mend this: SSL_CERT_FILE is {str(other)!r}" in str(not_connected(BARE, UNKNOWN))
    paths(None)
    assert "SSL_CERT_FILE names nothing that is there" in refused(error)
    paths(usual)
    assert "SSL_CERT" not in refused(error) + str(not_connected(BARE, UNKNOWN))
