"""The settings of tokens: who signs those of a kind, and whose signatures are believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from pathlib import Path
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.value_shapes import secret_in
from kong_mesh_cp.settings import forms
from kong_mesh_cp.settings.forms import Form, MalformedError, must_be
from kong_mesh_cp.settings.options import camel_case, option
from kong_mesh_cp.settings.problems import quoted

KEYS_MAX: Final = 100
_PRIVATE: Final = "PRIVATE KEY"
_PEM: Final = "-----BEGIN "
_NO_KEYS: Final = "no keys from elsewhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """The public half of a key that signs tokens elsewhere. One of `key` and `key_file` is set."""

    kid: str
    key: str | None = None  # PEM
    key_file: Path | None = None
    mesh: str = ""  # only for proxies of this mesh; "": of any


def _keys(*, of_meshes: bool) -> Form[tuple[PublicKey, ...]]:
    expected = f"a list of at most {KEYS_MAX} tables with kid, and key or keyFile"
    names = [camel_case(one.name) for one in fields(PublicKey)]
    known = names if of_meshes else [name for name in names if name != "mesh"]

    def read(value: object) -> tuple[PublicKey, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > KEYS_MAX:
            raise must_be(expected)
        found: dict[tuple[str, str], PublicKey] = {}
        for number, entry in enumerate(value, start=1):
            key = _key(entry, f"key {number}", known)
            if (key.mesh, key.kid) in found:
                raise MalformedError(f"key {number} has the kid of one before it")
            found[key.mesh, key.kid] = key
        return tuple(found.values())

    return Form(expected, read)


def _key(entry: object, at: str, known: Sequence[str]) -> PublicKey:
    if not isinstance(entry, Mapping):
        raise MalformedError(f"must be a list of tables; {at} is none")
    texts: dict[str, str] = {}
    for name, value in entry.items():
        if name not in known:
            raise MalformedError(f"{at} has {quoted(str(name))}, none of {', '.join(known)}")
        # YAML's numbers come as text; in TOML the kid may be written as one.
        text = str(value) if name == "kid" and type(value) is int else value
        if not isinstance(text, str) or not text:
            raise MalformedError(f"{name} of {at} must be text that is not empty")
        texts[name] = text
    if not texts.get("kid", "").isprintable() or "kid" not in texts:
        raise MalformedError(f"{at} needs a kid: the id of the key in the head of its tokens")
    if ("key" in texts) == ("keyFile" in texts):
        raise MalformedError(f"{at} needs a key in PEM, or the path of one as keyFile; not both")
    if "key" in texts and not texts["key"].lstrip().startswith(_PEM):
        raise MalformedError(f"key of {at} is no PEM, which begins with {_PEM}")
    if secret_in(texts["kid"]) is not None:
        raise MalformedError(f"kid of {at} may be a secret: it is the id of a key alone")
    if _PRIVATE in texts.get("key", ""):
        raise MalformedError(
            f"{at} is a private key, which must not be here: write what "
            "kumactl generate public-key makes of it"
        )
    path = texts.get("keyFile")
    return PublicKey(
        kid=texts["kid"],
        key=texts.get("key"),
        key_file=None if path is None else forms.FILE_PATH.read(path),
        mesh=texts.get("mesh", ""),
    )


KEYS: Final = _keys(of_meshes=False)
MESH_KEYS: Final = _keys(of_meshes=True)
_KEYS_DOC: Final = (
    "Keys whose tokens count beside those of the store: tables with kid, and key (PEM) or keyFile"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTokenValidatorSettings:
    """Whose signatures on tokens of users are accepted."""

    use_secrets: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_API_SERVER_AUTHN_TOKENS_VALIDATOR_USE_SECRETS",
        doc="Whether tokens count that are signed by a GlobalSecret user-token-signing-key-N.",
    )
    public_keys: tuple[PublicKey, ...] = option(
        KEYS, default=(), default_text=_NO_KEYS, doc=f"{_KEYS_DOC}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServerAuthnTokensSettings:
    """Tokens of users."""

    bootstrap_admin_token: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_API_SERVER_AUTHN_TOKENS_BOOTSTRAP_ADMIN_TOKEN",
        doc="Whether a start makes the token of an administrator where there is none, and keeps "
        "it as the GlobalSecret admin-user-token.",
    )
    enable_issuer: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_API_SERVER_AUTHN_TOKENS_ENABLE_ISSUER",
        doc="Whether tokens of users are signed here, rather than elsewhere with kumactl.",
    )
    validator: UserTokenValidatorSettings = field(default_factory=UserTokenValidatorSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class DpTokenValidatorSettings:
    """Whose signatures on tokens of data plane proxies are accepted."""

    use_secrets: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_DP_SERVER_AUTHN_DP_PROXY_DP_TOKEN_VALIDATOR_USE_SECRETS",
        doc="Whether tokens count that are signed by a Secret dataplane-token-signing-key-MESH-N.",
    )
    public_keys: tuple[PublicKey, ...] = option(
        MESH_KEYS,
        default=(),
        default_text=_NO_KEYS,
        doc=f"{_KEYS_DOC}, and mesh if a key is for one mesh only.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DpTokenSettings:
    """Tokens of data plane proxies."""

    enable_issuer: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_DP_SERVER_AUTHN_DP_PROXY_DP_TOKEN_ENABLE_ISSUER",
        doc="Whether tokens of data plane proxies are signed here, rather than elsewhere.",
    )
    validator: DpTokenValidatorSettings = field(default_factory=DpTokenValidatorSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneTokenValidatorSettings:
    """Whose signatures on tokens of zone proxies are accepted."""

    use_secrets: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_DP_SERVER_AUTHN_ZONE_PROXY_ZONE_TOKEN_VALIDATOR_USE_SECRETS",
        doc="Whether tokens count that are signed by a GlobalSecret zone-token-signing-key-N.",
    )
    public_keys: tuple[PublicKey, ...] = option(
        KEYS, default=(), default_text=_NO_KEYS, doc=f"{_KEYS_DOC}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneTokenSettings:
    """Tokens of zone proxies."""

    enable_issuer: bool = option(
        forms.BOOLEAN,
        default=True,
        environment="KUMA_DP_SERVER_AUTHN_ZONE_PROXY_ZONE_TOKEN_ENABLE_ISSUER",
        doc="Whether tokens of zones are signed here, rather than elsewhere.",
    )
    validator: ZoneTokenValidatorSettings = field(default_factory=ZoneTokenValidatorSettings)
