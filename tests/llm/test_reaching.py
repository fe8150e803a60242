"""On the way to a model: TLS that cannot be trusted, an address that is none, a proxy that does not answer."""

import ssl
from pathlib import Path

import pytest
import trustme

from daper.core.errors import ModelError, ModelUnavailable
from tests.llm.asking import asking, fine
from tests.llm.fake_openai import FakeOpenAI
from tests.receiving import hook


@pytest.mark.parametrize("trusted", [False, True], ids=["nobody vouches for it", "SSL_CERT_FILE does"])
async def test_a12_a_certificate_that_is_not_known_is_told_with_the_variables_that_name_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with hook(500, tls=context) as server, asking(tmp_path, fine, url=server.url.partition("/hooks")[0]) as model:
        with pytest.raises(ModelUnavailable if trusted else ModelError) as told:
            await model.ping()

    words = str(told.value)
    assert words.startswith("fake-1 is broken (HTTP 500" if trusted else "fake-1 cannot be trusted: its certificate is")
    assert ("SSL_CERT_FILE names the file with those that are, SSL_CERT_DIR the folder" in words) is not trusted
    assert len(server.requests) == int(trusted)


async def test_a12_tls_to_a_server_without_it_is_told_with_the_way_out(tmp_path: Path) -> None:
    with FakeOpenAI(fine) as server:
        async with asking(tmp_path, fine, url=server.url.replace("http://", "https://")) as model:
            with pytest.raises(
                ModelError, match=r"fake-1 does not speak TLS .*LLM_BASE_URL may have to begin with http"
            ):
                await model.ping()


@pytest.mark.parametrize("host", ["a..b", "a" * 300, "127.0.0.1:99999", "nobody.invalid"])
async def test_a7_an_address_that_no_network_knows_cannot_be_reached(tmp_path: Path, host: str) -> None:
    async with asking(tmp_path, fine, url=f"http://{host}/v1") as model:
        with pytest.raises(ModelUnavailable, match=r"^fake-1 cannot be reached \("):
            await model.ping()

        assert "reserved" not in model.states()


async def test_a12_a_proxy_that_does_not_answer_is_named_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = {"HTTP_PROXY": "http://u:planted@127.0.0.1:9"}
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", network["HTTP_PROXY"])
    async with asking(tmp_path, fine, network=network) as model:
        with pytest.raises(ModelUnavailable, match="HTTP_PROXY is set: see that this proxy answers") as told:
            await model.ping()

    assert "planted" not in str(told.value)
    assert model.fake.count == 0
