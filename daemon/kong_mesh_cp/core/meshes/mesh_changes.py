"""What a mesh must not become, seen from what it was and from what is stored.

Source: docs/wire/meshes.md#changes, docs/wire/meshes.md#deletion, docs/wire/meshes.md#secrets
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from kong_mesh_cp.core.formats.expirations import expiration_of
from kong_mesh_cp.core.formats.go_quote import go_quote
from kong_mesh_cp.core.meshes import authority_progress
from kong_mesh_cp.core.meshes.authority_conf import (
    BuiltinConf,
    CaCert,
    ProvidedConf,
    conf_violations,
    provided_sources,
    readable_conf,
)
from kong_mesh_cp.core.meshes.authority_terms import renewal
from kong_mesh_cp.core.meshes.mesh_defaults import BUILTIN_CA, ca_secrets
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.resources.meta import MESH_NAME_CHARACTERS_MAX, MESH_NAME_LENGTH
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

PROVIDED_CA: Final = "provided"
PLUGINS: Final = frozenset({BUILTIN_CA, PROVIDED_CA})
# Types of Kong Mesh that are not there yet, and who would sign.
KONG_AUTHORITIES: Final[Mapping[str, str]] = {
    "vault": "Vault",
    "acmpca": "AWS Private CA",
    "certmanager": "cert-manager",
}
_NO_PLUGIN: Final = "could not find installed plugin for this type"
SECRET_NAME_BYTES_MAX: Final = 255
CA_KEY_BITS_MIN: Final = 1024  # no library makes, or takes, less
CA_KEY_BITS_MAX: Final = 4096  # takes about a second to make; twice as many bits, ten
NEW_AUTHORITIES_MAX: Final = 8  # keys that one write may ask for

# Lower case; the last point or underscore is let pass by the one that clients know, too.
_LABEL: Final = r"[a-z0-9_][a-z0-9_-]{0,62}"
_DNS_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*[._]?", re.ASCII)

_SWITCHED = (
    "Changing CA when mTLS is enabled is forbidden. Disable mTLS first and then change the CA"
)


def creation_violations(name: str, mesh: Mesh) -> list[Violation]:
    """What speaks against making `mesh`."""
    found: list[Violation] = []
    if len(name) > MESH_NAME_CHARACTERS_MAX:
        found.append(Violation("name", MESH_NAME_LENGTH))
    return [*found, *backend_violations(name, mesh), *key_violations(Mesh(), mesh)]


def change_violations(name: str, before: Mesh, after: Mesh) -> list[Violation]:
    """What speaks against `after` taking the place of `before`, as far as the two show it."""
    found: list[Violation] = []
    old, new = before.enabled_ca, after.enabled_ca
    if (
        old is not None
        and new is not None
        and old.name != new.name
        and not _has_both(before, after)
    ):
        found.append(root("mtls").field("enabledBackend").violation(_SWITCHED))
    return [*found, *backend_violations(name, after), *key_violations(before, after)]


def _has_both(before: Mesh, after: Mesh) -> bool:
    """The authorities in force before and after are trusted on both sides of the change."""
    old, new = before.enabled_ca, after.enabled_ca
    return all(
        each is not None and each.name in authority_progress.names(mesh)
        for each in (old, new)
        for mesh in (before, after)
    )


def conf_warnings(before: Mesh, after: Mesh) -> Iterator[str]:
    """What `after` asks of authorities that were made as `before` asked: nothing comes of it."""
    made = {each.name: _asked(each) for each in _builtin_backends(before).values()}
    for index, backend in _builtin_backends(after).items():
        if made.get(backend.name, asked := _asked(backend)) != asked:
            at = root("mtls").field("backends").index(index).field("conf").field("caCert")
            yield (
                f"{at}: has no effect: the authority is there already, and keeps its key and its"
                f" end. {renewal(backend)}"
            )


def key_violations(before: Mesh, after: Mesh) -> Iterator[Violation]:
    """What speaks against making the authorities that `after` asks for and `before` did not.

    Whether a mesh asks not to look at its authorities makes no difference to what can be made.
    """
    known = {each.name: _asked(each) for each in _builtin_backends(before).values()}
    asked = {
        index: backend
        for index, backend in _builtin_backends(after).items()
        if backend.name not in known or known[backend.name] != _asked(backend)
    }
    at = root("mtls").field("backends")
    if len(asked) > NEW_AUTHORITIES_MAX:
        reason = f"cannot have more than {NEW_AUTHORITIES_MAX} new ones of the type builtin at once"
        yield at.violation(reason)
    for index, backend in asked.items():
        yield from _makeable(_asked(backend), at.index(index).field("conf").field("caCert"))


def _makeable(asked: CaCert, at: FieldPath) -> Iterator[Violation]:
    """What speaks against making a certificate and its key: a wish is kept, or refused."""
    bits = asked.rsa_bits or 0
    if bits > CA_KEY_BITS_MAX:
        yield at.field("RSAbits").violation(f"must be {CA_KEY_BITS_MAX} at the most")
    elif 0 < bits < CA_KEY_BITS_MIN:
        yield at.field("RSAbits").violation(f"must be {CA_KEY_BITS_MIN} at the least")
    if asked.expiration and expiration_of(asked.expiration) is None:
        reason = "has to be a valid format: a number and one of y, w, d, h, m, s, ms, such as 10y"
        yield at.field("expiration").violation(reason)


def _builtin_backends(mesh: Mesh) -> dict[int, CertificateAuthority]:
    """By their place."""
    backends = () if mesh.mtls is None else mesh.mtls.backends
    return {at: each for at, each in enumerate(backends) if each.type == BUILTIN_CA}


def _asked(backend: CertificateAuthority) -> CaCert:
    return readable_conf(BuiltinConf, backend).certificate


def backend_violations(name: str, mesh: Mesh) -> list[Violation]:
    """What is wrong with the authorities of a mesh; less, where it asks not to look at them.

    What the sources of a provided one hold is not looked at here.
    """
    if mesh.mtls is None:
        return []
    skipped = mesh.mtls.skip_validation
    found: list[Violation] = []
    for index, backend in enumerate(mesh.mtls.backends):
        at = root("mtls").field("backends").index(index)
        if backend.type not in PLUGINS:
            return [*found, at.field("type").violation(_unknown_type(backend.type))]
        if backend.type == BUILTIN_CA:
            # Without its conf there is nothing to make it of, skipped or not.
            found += conf_violations(backend, at.field("conf"))
            found += () if skipped else _builtin(name, backend, at.field("conf"))
        elif not skipped:
            sources = provided_sources(backend, at.field("conf"))
            found += sources if isinstance(sources, list) else ()
    return found


def _unknown_type(backend_type: str) -> str:
    """What is said of it; of one that Kong Mesh has and this release has not, also what to do."""
    kong = KONG_AUTHORITIES.get(backend_type)
    if kong is None:
        return _NO_PLUGIN
    return (
        f"{_NO_PLUGIN}: this release does not ask {kong} for certificates. Use an authority of the"
        f" type provided, with the certificate and the key of an intermediate one that {kong} has"
        " issued, or one of the type builtin"
    )


def _builtin(mesh: str, backend: CertificateAuthority, at: FieldPath) -> Iterator[Violation]:
    # The place nests oddly, but so clients see it.
    name_at = at.field("mtls.backends.name")
    secret = f"{mesh}.ca-builtin-cert-{backend.name}"
    if len(secret.encode(errors="replace")) > SECRET_NAME_BYTES_MAX:
        yield name_at.violation(f"Backend name is too long. Max length: {SECRET_NAME_BYTES_MAX}")
    if _DNS_NAME.fullmatch(secret) is None or len(secret) > SECRET_NAME_BYTES_MAX:
        yield name_at.violation(f"{go_quote(backend.name)} name must be valid dns name")


def secrets_in_use(secret: str, mesh_name: str, mesh: Mesh) -> list[Violation]:
    """Why the Secret called `secret` has to stay: the authorities that need it, in force or not."""
    backends = () if mesh.mtls is None else mesh.mtls.backends
    return [
        Violation(
            "name",
            f"The secret {go_quote(secret)} that you are trying to remove is currently in use in "
            f"Mesh {go_quote(mesh_name)} in mTLS backend {go_quote(backend.name)}. Please remove "
            f"the reference from the {go_quote(backend.name)} backend before removing the secret.",
        )
        for backend in backends
        if secret in secrets_of(mesh_name, backend)
    ]


def secrets_of(mesh_name: str, backend: CertificateAuthority) -> tuple[str, ...]:
    """The names of the Secrets that `backend` consists of, as far as they are Secrets."""
    own = ca_secrets(mesh_name, backend)
    if own is not None:
        return own.certificate, own.key
    if backend.type != PROVIDED_CA:
        return ()
    conf = readable_conf(ProvidedConf, backend)
    sources = (each for each in (conf.cert, conf.key) if each is not None)
    return tuple(each.secret for each in sources if each.secret)
