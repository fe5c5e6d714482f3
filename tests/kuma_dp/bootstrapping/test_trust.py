"""Whose certificate is taken for the control plane's."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from kuma_dp.bootstrapping.trust import Address, address_of, authority_of, trust
from kuma_dp.errors import NotMendedByWaitingError
from kuma_dp.given.options import GIVEN_BYTES_MAX
from support.daemons.tls_peers import pair

ELSEWHERE = Address("cp.example.com", 5678)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://localhost:5678", Address("localhost", 5678)),
        ("https://10.0.0.1:5678/some/path", Address("10.0.0.1", 5678)),
        ("https://[::1]:5678", Address("::1", 5678)),
        ("https://cp.example.com", Address("cp.example.com", 443)),
    ],
)
def test_the_address_is_host_and_port_of_the_url(url: str, address: Address) -> None:
    assert address_of(url) == address


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:5678", "http://localhost:5678", "https://", "https://a:b", "https://ä"),
        *("https://cp..example.com", "https://.", f"https://{'a' * 64}", "https://c p"),
    ],
)
def test_what_is_no_https_url_is_refused(url: str) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        address_of(url)
    assert refused.value.code == "cp-address-unusable"


@pytest.mark.parametrize("url", ["https://cp..example.com:5678", "https://localhost:99999"])
def test_an_https_url_that_leads_nowhere_is_not_said_to_lack_tls(url: str) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        address_of(url)
    assert refused.value.message == f"--cp-address '{url}' has no host and port that there can be"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_without_an_authority_nobody_is_looked_at_on_this_machine(host: str) -> None:
    trusted = trust(Address(host, 5678), "", skip_verify=False)
    assert not trusted.verified
    assert trusted.context.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize("host", ["cp.example.com", "10.0.0.1", "localhost.example.com", "fe80::1"])
def test_elsewhere_a_certificate_has_to_be_of_an_authority_of_the_machine(host: str) -> None:
    trusted = trust(Address(host, 5678), "", skip_verify=False)
    assert trusted.verified
    assert trusted.context.verify_mode is ssl.CERT_REQUIRED
    assert trusted.context.check_hostname


def test_an_authority_that_is_given_counts_everywhere_and_is_shown_to_the_control_plane() -> None:
    authority = pair().certificate.decode()
    for address in (ELSEWHERE, Address("127.0.0.1", 5678)):
        trusted = trust(address, authority, skip_verify=False)
        assert trusted.verified
        assert trusted.context.verify_mode is ssl.CERT_REQUIRED
        assert trusted.authority == authority


def test_whoever_asks_for_it_is_not_protected() -> None:
    assert not trust(ELSEWHERE, "", skip_verify=True).verified


def test_the_text_of_an_authority_wins_over_its_file(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("of the file")

    assert authority_of("", str(file)) == "of the file"
    assert authority_of("the text", str(file)) == "the text"
    assert authority_of("", "") == ""


def test_comments_of_an_authority_may_be_in_any_language(tmp_path: Path) -> None:
    authority = pair().certificate.decode()
    commented = f"\ufeff# Autorité\n{authority}"
    file = tmp_path / "ca.pem"
    file.write_text(commented)

    for given in (authority_of("", str(file)), authority_of(commented, "")):
        trusted = trust(ELSEWHERE, given, skip_verify=False)
        assert len(trusted.context.get_ca_certs()) == 1
        assert trusted.authority.endswith(authority)


def test_the_authorities_of_a_distribution_are_taken_and_what_is_larger_is_not(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ca-certificates.crt"
    file.write_text(pair().certificate.decode() * 500)
    assert file.stat().st_size > 220 * 1024
    assert trust(ELSEWHERE, authority_of("", str(file)), skip_verify=False).verified

    file.write_bytes(b"#" * (GIVEN_BYTES_MAX + 1))
    with pytest.raises(NotMendedByWaitingError, match=f"larger than {GIVEN_BYTES_MAX} bytes"):
        authority_of("", str(file))


@pytest.mark.parametrize("content", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_an_authority_that_is_none_is_refused(content: str) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        trust(ELSEWHERE, content or " ", skip_verify=False)
    assert refused.value.code == "ca-cert-unusable"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotMendedByWaitingError) as refused:
        authority_of("", str(tmp_path / "none.pem"))
    assert refused.value.code == "ca-cert-unusable"
    assert "none.pem" in refused.value.message
