"""Looks at what a mesh's authorities are made of: the pairs that Secrets, files and the mesh hold.

Source: docs/wire/meshes.md#provided-authorities
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.lazy_import import lazy_import
from kong_mesh_cp.core.meshes.authority_conf import (
    BuiltinConf,
    provided_sources,
    readable_conf,
)
from kong_mesh_cp.core.meshes.authority_id import AuthorityId
from kong_mesh_cp.core.meshes.authority_terms import (
    AuthorityTerm,
    is_ending,
    renewal,
    sentence,
)
from kong_mesh_cp.core.meshes.mesh_changes import PROVIDED_CA, conf_warnings, secrets_of
from kong_mesh_cp.core.meshes.mesh_defaults import ca_secrets
from kong_mesh_cp.core.resources.data_source import DataSource
from kong_mesh_cp.core.resources.key import ResourceKey
from kong_mesh_cp.core.resources.kinds.mesh import CertificateAuthority, Mesh
from kong_mesh_cp.core.resources.kinds.secret import Secret
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root
from kong_mesh_cp.usecases.ports.resource_store import ResourceStore
from kong_mesh_cp.usecases.resources.documents import spec_as
from kong_mesh_cp.usecases.resources.write_rules import There

if TYPE_CHECKING:
    from kong_mesh_cp.core.meshes import ca_pairs
else:
    ca_pairs = lazy_import("kong_mesh_cp.core.meshes.ca_pairs")

SECRET = "Secret"  # noqa: S105 (a type of resource)

# Runs what takes long where nobody waits for it, and gives what it gives.
InWorkerThread = Callable[[Callable[[], Any]], Awaitable[Any]]

# The content of a file of this machine, in a thread. Raises: FileUnreadableError.
ReadFile = Callable[[str], bytes]


class FileUnreadableError(Exception):
    """`reason` is in Go's words: `open /ca.pem: no such file or directory`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def no_files(path: str) -> bytes:
    """A `ReadFile` where there are none."""
    raise FileUnreadableError(f"open {path}: no such file or directory")


class NotLoadedError(Exception):
    """Why the bytes of a source are not to be had."""


class ProvidedAuthorities:
    """Of the meshes in `store`; `read_file` reads for sources that are files."""

    def __init__(
        self,
        store: ResourceStore,
        read_file: ReadFile = no_files,
        *,
        in_worker_thread: InWorkerThread = trio.to_thread.run_sync,
    ) -> None:
        self._store = store
        self._in_worker_thread = in_worker_thread
        self._read_file = read_file

    async def violations(self, name: str, mesh: Mesh) -> list[Violation]:
        """What is wrong with what the sources hold. Sources that are none are not judged here."""
        if mesh.mtls is None or mesh.mtls.skip_validation:
            return []
        found: list[Violation] = []
        for index, backend in enumerate(mesh.mtls.backends):
            at = root("mtls").field("backends").index(index).field("conf")
            if backend.type == PROVIDED_CA:
                found += await self._violations(name, backend, at, {})
        return found

    async def write_warnings(
        self, key: ResourceKey, spec: object, there: There, now: datetime
    ) -> list[str]:
        """What to say of the authorities that a mesh has, or that a Secret is a part of."""
        match spec:
            case Mesh():
                before = Mesh() if there.existing is None else spec_as(Mesh, there.existing)
                return [*conf_warnings(before, spec), *await self.endings(key.name, spec, now)]
            case Secret() if there.mesh is not None:
                return await self.warnings(key, spec.data or b"", spec_as(Mesh, there.mesh))
            case _:
                return []

    async def warnings(self, key: ResourceKey, data: bytes, mesh: Mesh) -> list[str]:
        """What a Secret with `data` does to the authorities of its mesh, which need it."""
        if mesh.mtls is None or key.type != SECRET:
            return []
        found: list[str] = []
        for backend in mesh.mtls.backends:
            if key.name in secrets_of(key.mesh, backend):
                faults = await self._violations(key.mesh, backend, root("conf"), {key.name: data})
                found += [
                    f"mTLS backend {go_quote(backend.name)} of Mesh {go_quote(key.mesh)} needs this"
                    f" secret, and cannot work like that: {reason}"
                    for reason in dict.fromkeys(each.message for each in faults)
                ]
        return found

    async def endings(self, name: str, mesh: Mesh, now: datetime) -> list[str]:
        """Warnings for who has written `mesh`, of authorities that end soon."""
        found: list[str] = []
        for index, backend in enumerate(() if mesh.mtls is None else mesh.mtls.backends):
            # One of here lasts for years, unless it was asked to last for less.
            if (
                backend.type != PROVIDED_CA
                and not readable_conf(BuiltinConf, backend).certificate.expiration
            ):
                continue
            ends_at = await self._ends_at(name, backend)
            term = None if ends_at is None else AuthorityTerm(ends_at, renewal(backend))
            if term is not None and is_ending(term, now):
                at = root("mtls").field("backends").index(index)
                found.append(f"{at}: the authority {sentence(term, now)}. {term.remedy}")
        return found

    async def terms(self, name: str, mesh: Mesh) -> Mapping[AuthorityId, AuthorityTerm]:
        """When the authorities of a mesh end, of those whose certificate can be read."""
        found: dict[AuthorityId, AuthorityTerm] = {}
        for backend in () if mesh.mtls is None else mesh.mtls.backends:
            ends_at = await self._ends_at(name, backend)
            if ends_at is not None:
                term = AuthorityTerm(ends_at, renewal(backend))
                found[AuthorityId(name, backend.name)] = term
        return found

    async def pair(self, mesh: str, backend: CertificateAuthority) -> tuple[bytes, bytes]:
        """Certificate and key of `backend`, as they are stored now, unjudged.

        Raises: NotLoadedError, StateError.
        """
        sources = _sources(mesh, backend, root("conf"))
        if not isinstance(sources, list):
            return await self._load(mesh, sources, {})
        found = [f"{each.field}: {each.message}" for each in sources]
        raise NotLoadedError("; ".join(found) or f"nothing is known of the type {backend.type}")

    async def _ends_at(self, mesh: str, backend: CertificateAuthority) -> datetime | None:
        sources = _sources(mesh, backend, root("conf"))
        if isinstance(sources, list):
            return None
        try:
            certificate = await self._content(mesh, sources[0], {})
        except NotLoadedError:
            return None
        end: datetime | None = await self._in_worker_thread(partial(_end_of, certificate))
        return end

    async def _violations(
        self, mesh: str, backend: CertificateAuthority, at: FieldPath, news: Mapping[str, bytes]
    ) -> list[Violation]:
        sources = _sources(mesh, backend, at)
        if isinstance(sources, list):
            return []
        try:
            pair = await self._load(mesh, sources, news)
        except NotLoadedError as error:
            reason = f"could not load data: {error}"
            return [at.field(each).violation(reason) for each in ("cert", "key")]
        # OpenSSL takes a millisecond for a pair, and the first one imports it.
        look = partial(_pair_violations, *pair, at)
        found: list[Violation] = await self._in_worker_thread(look)
        return found

    async def _load(
        self, mesh: str, sources: tuple[DataSource, DataSource], news: Mapping[str, bytes]
    ) -> tuple[bytes, bytes]:
        """Certificate and key. Raises: NotLoadedError, for the key first."""
        certificate, key = sources
        content = await self._content(mesh, key, news)
        return await self._content(mesh, certificate, news), content

    async def _content(self, mesh: str, source: DataSource, news: Mapping[str, bytes]) -> bytes:
        """`news`: Secrets that are about to be written, by name."""
        if source.secret is not None:
            if source.secret in news:
                return news[source.secret]
            return await self._secret(mesh, source.secret)
        if source.file is not None:
            try:
                read = partial(self._read_file, source.file)
                content: bytes = await self._in_worker_thread(read)
            except FileUnreadableError as error:
                raise NotLoadedError(error.reason) from None
            return content
        return source.inline or (source.inline_string or "").encode()

    async def _secret(self, mesh: str, name: str) -> bytes:
        stored = await self._store.get(ResourceKey(SECRET, mesh, name))
        if stored is None:
            raise NotLoadedError(
                f"Resource not found: type={go_quote(SECRET)} name={go_quote(name)}"
                f" mesh={go_quote(mesh)}"
            )
        return spec_as(Secret, stored).data or b""


def _sources(
    mesh: str, backend: CertificateAuthority, at: FieldPath
) -> tuple[DataSource, DataSource] | list[Violation]:
    own = ca_secrets(mesh, backend)
    if own is not None:
        return DataSource(secret=own.certificate), DataSource(secret=own.key)
    return provided_sources(backend, at) if backend.type == PROVIDED_CA else []


def _pair_violations(certificate: bytes, key: bytes, at: FieldPath) -> list[Violation]:
    return ca_pairs.violations(certificate, key, at)


def _end_of(certificate: bytes) -> datetime | None:
    return ca_pairs.ends_at(certificate)
