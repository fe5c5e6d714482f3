"""The names of configurations, against the OpenSSL that serves."""

from __future__ import annotations

import ssl

import pytest

from kong_mesh_cp.core.formats.tls_names import SUITES, SUITES_OF_1_2, SUITES_OF_1_3


def suites_of(context: ssl.SSLContext, version: str) -> set[str]:
    return {suite["name"] for suite in context.get_ciphers() if suite["protocol"] == version}


@pytest.mark.parametrize(("name", "of_openssl"), SUITES_OF_1_2.items())
def test_openssl_has_every_suite(name: str, of_openssl: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(of_openssl)
    own = {suite["name"] for suite in context.get_ciphers()} - set(SUITES_OF_1_3)
    assert own == {of_openssl}
    kind, key, *_ = of_openssl.split("-")
    assert name.startswith(f"TLS_{kind}_{key}_")


def test_the_suites_of_tls_1_3_are_there_in_any_case() -> None:
    assert suites_of(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "TLSv1.3") == set(SUITES_OF_1_3)
    assert len(SUITES) == len(set(SUITES)) == 13
