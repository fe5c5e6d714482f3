"""Whose signatures count for each kind of token: keys in the store, and public ones from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.core.identity.key_series import OfflineKeys
from kong_mesh_cp.core.identity.refusals import SigningKeyError
from kong_mesh_cp.settings.model import Settings
from kong_mesh_cp.settings.problems import quoted
from kong_mesh_cp.settings.token_authentication import PublicKey
from kong_mesh_cp.shell.host.certificates import read_pem
from kong_mesh_cp.usecases.identity.signing_keys import KeyTrust

UNREADABLE: Final = "public-key-unreadable"
PRIVATE: Final = b"PRIVATE KEY-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTrust:
    """By kind of token."""

    users: KeyTrust = field(default_factory=KeyTrust)
    dataplanes: KeyTrust = field(default_factory=KeyTrust)
    zones: KeyTrust = field(default_factory=KeyTrust)


def read_token_trust(settings: Settings) -> TokenTrust:
    """Reads the key files. Raises: ConfigurationError about a file, or what is no public key."""
    proxies = settings.dp_server.authn
    users = settings.api_server.authn.tokens.validator
    dataplanes = proxies.dp_proxy.dp_token.validator
    zones = proxies.zone_proxy.zone_token.validator
    return TokenTrust(
        users=KeyTrust(
            use_secrets=users.use_secrets,
            offline=_offline("apiServer.authn.tokens", users.public_keys),
        ),
        dataplanes=KeyTrust(
            use_secrets=dataplanes.use_secrets,
            offline=_offline("dpServer.authn.dpProxy.dpToken", dataplanes.public_keys),
        ),
        zones=KeyTrust(
            use_secrets=zones.use_secrets,
            offline=_offline("dpServer.authn.zoneProxy.zoneToken", zones.public_keys),
        ),
    )


def _offline(section: str, keys: Sequence[PublicKey]) -> OfflineKeys:
    rows = []
    for key in keys:
        at = f"{section}.validator.publicKeys, kid {quoted(key.kid)}"
        pem = (key.key or "").encode()
        if key.key_file is not None:
            pem = read_pem(key.key_file, setting=at, code=UNREADABLE, gives_trust=True)
        if PRIVATE in pem:
            raise _unusable(at, "it is a private key, which must not be here")
        rows.append((key.mesh, key.kid, pem))
        try:
            OfflineKeys.parse(rows[-1:])
        except SigningKeyError as error:
            raise _unusable(at, error.message) from None
    return OfflineKeys.parse(rows)


def _unusable(at: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{at}: {why}",
        code="public-key-unusable",
        hint="Write what kumactl generate public-key --signing-key-path FILE makes.",
    )
