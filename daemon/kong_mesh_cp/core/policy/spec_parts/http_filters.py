"""Filters of HTTP routes: headers, redirects, rewrites and mirrors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX, is_domain
from kong_mesh_cp.core.policy.spec_parts.backend_refs import BackendRef
from kong_mesh_cp.core.policy.spec_parts.http_fields import HEADERS_MAX, HeaderValues
from kong_mesh_cp.core.policy.target_ref import Allowed, violations
from kong_mesh_cp.core.schema.record_terms import Int32, IntOrText, Length, OneOf, Pattern, Range
from kong_mesh_cp.core.schema.value_checks import MUST_BE_DEFINED, at_least_one_of
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

HOSTNAME_CHARACTERS_MAX: Final = 253

Hostname = Annotated[
    str,
    Length(1, HOSTNAME_CHARACTERS_MAX),
    Pattern(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderModifier:
    """Headers that are set, added and removed."""

    set: HeaderValues | None = None
    add: HeaderValues | None = None
    remove: Annotated[tuple[str, ...], Length(maximum=HEADERS_MAX)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRewrite:
    """A new path, or a new prefix in the place of the one that matched."""

    type: Annotated[str, OneOf(("ReplaceFullPath", "ReplacePrefixMatch"))]
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRedirect:
    """An answer that sends the client elsewhere; what is not set stays as it was asked."""

    scheme: Annotated[str, OneOf(("http", "https"))] | None = None
    hostname: Hostname | None = None
    path: PathRewrite | None = None
    port: Annotated[Int32, Range(1, PORT_MAX)] | None = None
    # The default is the Gateway API's, and stored with the resource.
    status_code: Annotated[int, OneOf((301, 302, 303, 307, 308))] = 302


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlRewrite:
    """Another host or path for the request that is passed on."""

    hostname: Hostname | None = None
    path: PathRewrite | None = None
    host_to_backend_hostname: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMirror:
    """A share of the requests is sent to a second backend, whose answers are dropped."""

    percentage: IntOrText | None = None
    backend_ref: BackendRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One of them, the one that `type` names."""

    type: Annotated[
        str,
        OneOf(
            (
                "RequestHeaderModifier",
                "ResponseHeaderModifier",
                "RequestRedirect",
                "URLRewrite",
                "RequestMirror",
            )
        ),
    ]
    request_header_modifier: HeaderModifier | None = None
    response_header_modifier: HeaderModifier | None = None
    request_redirect: RequestRedirect | None = None
    url_rewrite: UrlRewrite | None = None
    request_mirror: RequestMirror | None = None


# Kuma takes fewer kinds here than for backends.
_MIRRORS: Final = Allowed(kinds=("MeshService", "MeshServiceSubset"))
_MEMBERS: Final = {
    "RequestHeaderModifier": "requestHeaderModifier",
    "ResponseHeaderModifier": "responseHeaderModifier",
    "RequestRedirect": "requestRedirect",
    "URLRewrite": "urlRewrite",
    "RequestMirror": "requestMirror",
}


def filter_violations(
    each: Filter, filter_at: FieldPath, *, by_prefix: bool, at_gateway: bool
) -> Iterator[Violation]:
    """`by_prefix`: all matches of the rule are prefixes of paths."""
    at = filter_at.field(_MEMBERS.get(each.type, "type"))
    match each:
        case (
            Filter(
                type="RequestHeaderModifier", request_header_modifier=HeaderModifier() as modifier
            )
            | Filter(
                type="ResponseHeaderModifier", response_header_modifier=HeaderModifier() as modifier
            )
        ):
            yield from _header_modifier(modifier, at)
        case Filter(type="RequestRedirect", request_redirect=RequestRedirect() as redirect):
            # Path before host name: the order of Kuma's texts, for both kinds of filter.
            yield from _path(redirect.path, at, by_prefix=by_prefix)
            yield from _hostname(redirect.hostname, at.field("hostname"))
        case Filter(type="URLRewrite", url_rewrite=UrlRewrite() as rewrite):
            yield from _path(rewrite.path, at, by_prefix=by_prefix)
            yield from _hostname(rewrite.hostname, at.field("hostname"))
            yield from _backend_hostname(rewrite, at, at_gateway=at_gateway)
        case Filter(type="RequestMirror", request_mirror=RequestMirror() as mirror):
            yield from violations(mirror.backend_ref, _MIRRORS, at.field("backendRef"))
        case _:
            yield at.violation(MUST_BE_DEFINED)


def _path(rewrite: PathRewrite | None, at: FieldPath, *, by_prefix: bool) -> Iterator[Violation]:
    if rewrite is not None and rewrite.replace_prefix_match is not None and not by_prefix:
        yield (
            at.field("path")
            .field("replacePrefixMatch")
            .violation("can only appear if all matches match a path prefix")
        )


def _backend_hostname(
    rewrite: UrlRewrite, at: FieldPath, *, at_gateway: bool
) -> Iterator[Violation]:
    rewrite_at = at.field("hostToBackendHostname")
    if rewrite.host_to_backend_hostname and not at_gateway:
        # A sidecar's route has one service for a host; the name would always be the same.
        yield rewrite_at.violation("can only be set with MeshGateway")
    if rewrite.host_to_backend_hostname and rewrite.hostname is not None:
        yield rewrite_at.violation("cannot be set together with hostname")


_SUBDOMAIN_TEXT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def _hostname(hostname: str | None, at: FieldPath) -> Iterator[Violation]:
    if hostname is None:
        return
    if _is_address(hostname):
        yield at.violation("cannot be an IP address")
        return
    if len(hostname) > HOSTNAME_CHARACTERS_MAX:
        yield at.violation(f"must be no more than {HOSTNAME_CHARACTERS_MAX} characters")
    if not is_domain(hostname):
        yield at.violation(_SUBDOMAIN_TEXT)


_LEADING_ZEROS: Final = re.compile(r"(?<![0-9])0+(?=[0-9])")


def _is_address(hostname: str) -> bool:
    # An IPv4 address with leading zeros is taken for one too, so that it cannot pass for a name.
    try:
        ip_address(_LEADING_ZEROS.sub("", hostname) if ":" not in hostname else hostname)
    except ValueError:
        return False
    return True


def _header_modifier(modifier: HeaderModifier, at: FieldPath) -> Iterator[Violation]:
    if modifier == HeaderModifier():
        yield at.violation(at_least_one_of("set", "add", "remove"))
    # Across all three members: the result would depend on the order in which Envoy applies them.
    names: set[str] = set()
    for member, changed in (
        ("set", [header.name for header in modifier.set or ()]),
        ("add", [header.name for header in modifier.add or ()]),
        ("remove", modifier.remove or ()),
    ):
        for index, name in enumerate(changed):
            if name in names:
                yield at.field(member).index(index).field("name").violation("duplicate header name")
            names.add(name)
