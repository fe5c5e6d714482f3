"""What a mesh must not become, seen from what it was and from what is stored.

Source: docs/wire/meshes.md#changes, docs/wire/meshes.md#deletion, docs/wire/meshes.md#secrets
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kong_mesh_cp.core.formats.go_quote import go_quote
from kong_mesh_cp.core.meshes.mesh_defaults import BUILTIN_CA, ca_secrets_of
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.resources.meta import MESH_NAME_CHARACTERS_MAX, MESH_NAME_LENGTH
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

PROVIDED_CA: Final = "provided"
PLUGINS: Final = frozenset({BUILTIN_CA, PROVIDED_CA})
SECRET_NAME_CHARACTERS_MAX: Final = 253
CA_KEY_BITS_MAX: Final = 4096  # takes about a second to make; twice as many bits, ten
NEW_AUTHORITIES_MAX: Final = 8  # keys that one write may ask for

_SWITCHED = (
    "Changing CA when mTLS is enabled is forbidden. Disable mTLS first and then change the CA"
)


def creation_violations(name: str, mesh: Mesh) -> list[Violation]:
    """What speaks against making `mesh`."""
    if len(name) > MESH_NAME_CHARACTERS_MAX:
        return [Violation("name", MESH_NAME_LENGTH)]
    return [*backend_violations(name, mesh), *key_violations(Mesh(), mesh)]


def change_violations(name: str, before: Mesh, after: Mesh) -> list[Violation]:
    """What speaks against `after` taking the place of `before`."""
    old, new = before.enabled_ca, after.enabled_ca
    if old is not None and new is not None and old.name != new.name:
        return [root("mtls").field("enabledBackend").violation(_SWITCHED)]
    return [*backend_violations(name, after), *key_violations(before, after)]


def key_violations(before: Mesh, after: Mesh) -> Iterator[Violation]:
    """What speaks against making the keys that `after` asks for and `before` did not.

    Whether a mesh asks not to look at its authorities makes no difference to the work.
    """
    known = {each.name: _key_bits(each) for each in _builtin_backends(before).values()}
    asked = {
        index: backend
        for index, backend in _builtin_backends(after).items()
        if backend.name not in known or known[backend.name] != _key_bits(backend)
    }
    at = root("mtls").field("backends")
    if len(asked) > NEW_AUTHORITIES_MAX:
        reason = f"cannot have more than {NEW_AUTHORITIES_MAX} new ones of the type builtin at once"
        yield at.violation(reason)
    for index, backend in asked.items():
        if _key_bits(backend) > CA_KEY_BITS_MAX:
            bits_at = at.index(index).field("conf").field("caCert").field("RSAbits")
            yield bits_at.violation(f"must be {CA_KEY_BITS_MAX} at the most")


def _builtin_backends(mesh: Mesh) -> dict[int, CertificateAuthority]:
    """By their place."""
    backends = () if mesh.mtls is None else mesh.mtls.backends
    return {at: each for at, each in enumerate(backends) if each.type == BUILTIN_CA}


def _key_bits(backend: CertificateAuthority) -> float:
    """What is asked for; 0 where nothing is, or what is no number."""
    settings = (backend.conf or {}).get("caCert")
    given = settings.get("RSAbits") if isinstance(settings, dict) else None
    return given if isinstance(given, int | float) else 0


def backend_violations(name: str, mesh: Mesh) -> list[Violation]:
    """What is wrong with the authorities of a mesh, unless it asks not to look."""
    if mesh.mtls is None or mesh.mtls.skip_validation:
        return []
    found: list[Violation] = []
    for index, backend in enumerate(mesh.mtls.backends):
        at = root("mtls").field("backends").index(index)
        if backend.type not in PLUGINS:
            reason = "could not find installed plugin for this type"
            found.append(at.field("type").violation(reason))
        elif backend.type == BUILTIN_CA:
            found += _builtin(name, backend, at.field("conf"))
        else:
            found += _provided(backend, at.field("conf"))
    return found


def _builtin(mesh: str, backend: CertificateAuthority, at: FieldPath) -> Iterator[Violation]:
    # The place nests oddly, but so clients see it.
    name_at = at.field("mtls.backends.name")
    if not _is_dns_label_like(backend.name):
        yield name_at.violation(f"{go_quote(backend.name)} name must be valid dns name")
    longest = SECRET_NAME_CHARACTERS_MAX - len(f"{mesh}.ca-builtin-cert-")
    if len(backend.name) > longest:
        yield name_at.violation(f"Backend name is too long. Max length: {longest}")


def _is_dns_label_like(name: str) -> bool:
    parts = name.split(".")
    return all(
        part and part.replace("-", "").isalnum() and part.isascii() and part == part.lower()
        for part in parts
    )


def _provided(backend: CertificateAuthority, at: FieldPath) -> Iterator[Violation]:
    conf = backend.conf or {}
    for member in ("cert", "key"):
        source = conf.get(member)
        if source is None:
            yield at.field(member).violation("has to be defined")
        elif not source:
            yield at.field(member).violation("data source cannot be empty")


def secret_in_use(secret: str, mesh_name: str, mesh: Mesh) -> Violation | None:
    """Why the Secret called `secret` has to stay; None when nothing needs it."""
    backend = mesh.enabled_ca
    if backend is None or secret not in _secrets_of(mesh_name, mesh, backend):
        return None
    return Violation(
        "name",
        f"The secret {go_quote(secret)} that you are trying to remove is currently in use in "
        f"Mesh {go_quote(mesh_name)} in mTLS backend {go_quote(backend.name)}. Please remove the "
        f"reference from the {go_quote(backend.name)} backend before removing the secret.",
    )


def _secrets_of(mesh_name: str, mesh: Mesh, backend: CertificateAuthority) -> set[str]:
    if backend.type == BUILTIN_CA:
        mine = (each for each in ca_secrets_of(mesh_name, mesh) if each.backend == backend.name)
        return {name for each in mine for name in (each.certificate, each.key)}
    sources = ((backend.conf or {}).get(member) for member in ("cert", "key"))
    return {str(each["secret"]) for each in sources if isinstance(each, dict) and "secret" in each}
