"""Addresses are shown without what is secret in them."""

import pytest

from daper.core.urls import masked_url, masked_urls

ADDRESSES = {
    "http://u:secret@host/v1": "http://***@host/v1",
    "https://secret@host:8443/v1": "https://***@host:8443/v1",
    "u:secret@host:7233": "***@host:7233",
    "HTTP://u:secret@HOST": "HTTP://***@HOST",
    "http:/u:secret@host": "http:/***@host",
    "http://u:se/c@r?e#t:secret@host/v1": "http://***@host/v1",
    "http://u:secret@[::1": "http://***@[::1",
    "http://u:secret@host:port/v1": "http://***@host:port/v1",
    "http://u%40x:secret%2F@host/v1": "http://***@host/v1",
    "socks5://u:secret@127.0.0.1:1080": "socks5://***@127.0.0.1:1080",
    "redis+tls://:secret@host/0": "redis+tls://***@host/0",
    "https://host/v1?api-version=2&api_key=secret": "https://host/v1?api-version=2&api_key=***",
    "https://host/hook?token=secret&x=1": "https://host/hook?token=***&x=1",
    "https://host/?sig=secret%3D#access_token=secret": "https://host/?sig=***#access_token=***",
    "https://host/v1?X-Goog-Signature=secret": "https://host/v1?X-Goog-Signature=***",
    "http://localhost:8080/v1": "http://localhost:8080/v1",
    "localhost:7233": "localhost:7233",
    "": "",
    "@": "***@",
}


@pytest.mark.parametrize(("address", "shown"), ADDRESSES.items())
def test_a13_userinfo_and_keys_of_an_address_are_hidden(address: str, shown: str) -> None:
    assert masked_url(address) == shown
    assert "secret" not in masked_url(address)


def test_a13_addresses_in_a_sentence_are_masked_and_the_sentence_stays() -> None:
    told = "cannot reach 'http://u:secret@host/v1' (see https://docs.example/x), ask it@example.org"

    assert masked_urls(told) == "cannot reach 'http://***@host/v1' (see https://docs.example/x), ask it@example.org"


def test_a13_a_long_text_without_addresses_is_gone_through_once() -> None:
    for text in ("a:" * 100_000, "a-" * 100_000, "http://" + "&x" * 100_000):
        assert masked_urls(text) == masked_url(text) == text
