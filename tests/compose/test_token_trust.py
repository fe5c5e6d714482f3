"""Public keys from files: read before anything is served, and refused with the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.compose.token_trust import read_token_trust
from kong_mesh_cp.core.errors import EX_CONFIG, ConfigurationError
from kong_mesh_cp.settings.model import Settings
from support.fakes.identity import pem, signing_key
from support.specs.configurations import loaded, toml

USERS = "[apiServer.authn.tokens.validator]"
PROXIES = "[dpServer.authn.dpProxy.dpToken.validator]"
ZONES = "[dpServer.authn.zoneProxy.zoneToken.validator]"


def settings(folder: Path, *keys: str, section: str = USERS) -> Settings:
    text = f"{section}\npublicKeys = [{', '.join(keys)}]\n"
    return loaded(toml(folder, text)).settings


def key_file(folder: Path, content: bytes) -> str:
    path = folder / "issuer.pub"
    path.write_bytes(content)
    return f'{{kid = "ci", keyFile = "{path}"}}'


def test_by_default_the_keys_in_the_store_count_and_no_others() -> None:
    trust = read_token_trust(loaded().settings)
    for kind in (trust.users, trust.dataplanes, trust.zones):
        assert kind.use_secrets
        assert kind.offline.find("1") == ()


@pytest.mark.parametrize("section", [USERS, PROXIES, ZONES])
def test_a_key_counts_for_the_kind_of_token_it_is_given_for(tmp_path: Path, section: str) -> None:
    public = signing_key(5).verifier.pem()
    trust = read_token_trust(settings(tmp_path, key_file(tmp_path, public), section=section))
    found = {
        USERS: trust.users.offline.find("ci"),
        PROXIES: trust.dataplanes.offline.find("ci", mesh="default"),
        ZONES: trust.zones.offline.find("ci"),
    }
    assert [each for each, keys in found.items() if keys] == [section]
    (key,) = found[section]
    assert key.verifies(signing_key(5).sign(b"x"), b"x")


def test_a_key_may_stand_in_the_configuration_and_be_for_one_mesh(tmp_path: Path) -> None:
    public = signing_key(5).verifier.pem().decode().replace("\n", "\\n")
    entry = f'{{kid = "ci", mesh = "payments", key = "{public}"}}'
    trust = read_token_trust(settings(tmp_path, entry, section=PROXIES))
    assert trust.dataplanes.offline.find("ci", mesh="payments")
    assert not trust.dataplanes.offline.find("ci", mesh="default")


@pytest.mark.parametrize(
    ("content", "code", "why"),
    [
        (None, "public-key-unreadable", "No such file or directory"),
        (b"", "public-key-unusable", "is no public key in PEM"),
        (pem(1), "public-key-unusable", "it is a private key"),
    ],
)
def test_a_file_without_a_public_key_refuses_the_start(
    tmp_path: Path, content: bytes | None, code: str, why: str
) -> None:
    entry = key_file(tmp_path, content or b"")
    if content is None:
        (tmp_path / "issuer.pub").unlink()
    with pytest.raises(ConfigurationError, match=why) as refused:
        read_token_trust(settings(tmp_path, entry))
    assert (refused.value.code, refused.value.exit_status) == (code, EX_CONFIG)
    assert "apiServer.authn.tokens.validator.publicKeys, kid 'ci'" in refused.value.message
