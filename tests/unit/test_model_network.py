"""Certificates and proxies of the environment: which variable is named, in words that hold no secret."""

import ssl
from collections.abc import Mapping

import pytest

from daper.agents.llm.network import proxy_before, refused_network

ERRORS: Mapping[str, tuple[Exception, Mapping[str, str], str]] = {
    "a file": (
        FileNotFoundError(2, "No such file or directory"),
        {"SSL_CERT_FILE": "/x", "ALL_PROXY": "socks://h"},
        "m: SSL_CERT_FILE is '/x', and no certificates can be read there (No such file or directory); correct it, or "
        "unset it to take those of the system",
    ),
    "a folder": (
        PermissionError(13, "Permission denied"),
        {"SSL_CERT_DIR": "/x"},
        "m: SSL_CERT_DIR is '/x', and no certificates can be read there (Permission denied)",
    ),
    "no certificate in it": (ssl.SSLError("bad"), {"SSL_CERT_FILE": "/x"}, "m: SSL_CERT_FILE is '/x', and no "),
    "of the system": (ssl.SSLError("bad"), {}, "the certificates of this system cannot be read (bad); set SSL_CERT_F"),
    "the wrong one of two proxies": (
        ValueError("Unknown scheme for proxy URL URL('socks://u:planted@h')"),
        {"HTTPS_PROXY": "http://fine:1", "all_proxy": "socks://u:planted@h"},
        "m: all_proxy is 'socks://***@h', and cannot be used (Unknown scheme for proxy URL URL('socks://***@h')); ",
    ),
    "one of two that look right": (
        ImportError("the 'socksio' package is not installed"),
        {"HTTPS_PROXY": "socks5://a:1", "HTTP_PROXY": "b:1"},
        "m: HTTPS_PROXY is 'socks5://a:1' and HTTP_PROXY is 'b:1', and cannot be used (the 'socksio' package",
    ),
    "none that is known": (ValueError("x"), {}, "m: a proxy is set, and cannot be used (x)"),
}


@pytest.mark.parametrize(("error", "network", "told"), ERRORS.values(), ids=ERRORS)
def test_a12_the_variable_that_is_wrong_is_named(error: Exception, network: Mapping[str, str], told: str) -> None:
    words = str(refused_network("m", error, network))

    assert told in words
    assert "planted" not in words


BEFORE = [
    ("https://api.example/v1", {"HTTPS_PROXY": "http://p"}, "HTTPS_PROXY"),
    ("https://api.example/v1", {"HTTP_PROXY": "http://p"}, ""),
    ("http://api.example/v1", {"http_proxy": "http://p", "ALL_PROXY": "http://q"}, "http_proxy"),
    ("http://api.example/v1", {"ALL_PROXY": "http://q"}, "ALL_PROXY"),
    ("http://api.example/v1", {"ALL_PROXY": "http://q", "NO_PROXY": "other.example, .example"}, ""),
    ("http://api.example:8080/v1", {"ALL_PROXY": "http://q", "no_proxy": "api.example"}, ""),
    ("http://api.example/v1", {"ALL_PROXY": "http://q", "no_proxy": "*"}, ""),
    ("http://myapi.example/v1", {"ALL_PROXY": "http://q", "no_proxy": "api.example"}, "ALL_PROXY"),
    ("", {"ALL_PROXY": "http://q"}, "ALL_PROXY"),
]


@pytest.mark.parametrize(("address", "network", "variable"), BEFORE)
def test_a12_the_proxy_on_the_way_is_known_by_its_variable(
    address: str, network: Mapping[str, str], variable: str
) -> None:
    assert proxy_before(address, network) == variable
