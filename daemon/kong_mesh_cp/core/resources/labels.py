"""Labels of a resource: what a client may set, and what a write adds.

Source: docs/wire/resource-api.md#labels
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.resources.registry import ResourceType
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

MESH: Final = "kuma.io/mesh"
ORIGIN: Final = "kuma.io/origin"
ZONE: Final = "kuma.io/zone"
ENV: Final = "kuma.io/env"
PROXY_TYPE: Final = "kuma.io/proxy-type"
DISPLAY_NAME: Final = "kuma.io/display-name"
NAMESPACE: Final = "k8s.kuma.io/namespace"  # where a resource of Kubernetes comes from
EFFECT: Final = "kuma.io/effect"
UNIVERSAL: Final = "universal"

KEY_PREFIX_CHARACTERS_MAX: Final = 253
LABEL_CHARACTERS_MAX: Final = 63  # of a key behind its prefix, and of a value

# The expressions and texts of Kubernetes' apimachinery, which Kuma calls; clients see them whole.
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY_NAME: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")

_KEY_FORM: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_QUALIFIED_NAME: Final = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex "
    "used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS "
    "subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
_PREFIX_FORM: Final = (
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
    "'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_VALUE_FORM: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
    "'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


class Mode(StrEnum):
    """The part a control plane plays among others."""

    ZONE = "zone"
    GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the control plane that writes a resource is: its mode, and its zone in mode zone."""

    mode: Mode = Mode.ZONE
    # Kuma's name for the zone of a control plane that was given none.
    zone: str = "default"
    federated: bool = False  # a zone that belongs to a global control plane


def display_name(name: str, labels: Mapping[str, str]) -> str:
    """What users call a resource: its label, or else its name.

    Source: docs/wire/resource-api.md#display-names
    """
    return labels.get(DISPLAY_NAME) or name


def computed_labels(
    given: Mapping[str, str],
    resource_type: ResourceType,
    mesh: str,
    deployment: Deployment,
    *,
    proxy_type: str | None = None,
) -> dict[str, str]:
    """`given` with what the control plane adds on a write where it is not given. Sorted by key.

    `proxy_type`: the kind's word for a Dataplane or a zone proxy; None for all others.
    """
    labels = dict(given)
    if mesh:
        # Set, not forced: a label that contradicts the mesh was refused before.
        labels.setdefault(MESH, mesh)
    if deployment.mode is Mode.ZONE and resource_type.provided_by_zone:
        labels.setdefault(ORIGIN, "zone")
        # What a global control plane has sent is of no zone.
        if labels[ORIGIN] != "global":
            labels.setdefault(ZONE, deployment.zone)
            labels.setdefault(ENV, UNIVERSAL)
    if proxy_type is not None:
        # The one label that overrides what was given: the spec decides what a proxy is.
        labels[PROXY_TYPE] = proxy_type
    return dict(sorted(labels.items()))


def label_violations(
    labels: Mapping[str, str], resource_type: ResourceType, mesh: str, deployment: Deployment
) -> list[Violation]:
    """What is wrong with the labels a client has set on a resource that says it is in `mesh`."""
    path = root("labels")
    violations = _origin_violations(labels, resource_type, deployment, path)
    # A global control plane, and what comes from one, may name any zone and mesh.
    if deployment.mode is Mode.ZONE and labels.get(ORIGIN) != "global":
        violations += _zone_and_mesh_violations(labels, mesh, deployment, path)
    for key in sorted(labels):
        reasons = [*_key_reasons(key), *_value_reasons(labels[key])]
        violations += [path.key(key).violation(reason) for reason in reasons]
    return violations


def _origin_violations(
    labels: Mapping[str, str], resource_type: ResourceType, deployment: Deployment, path: FieldPath
) -> list[Violation]:
    violations: list[Violation] = []
    origin = labels.get(ORIGIN) or None  # an empty one says nothing
    # An unknown origin is reported, and still compared below: Kuma gives both texts.
    if origin is not None and origin not in {"zone", "global"}:
        reason = f"unknown resource origin {go_quote(origin)}"
        violations.append(path.key(ORIGIN).violation(reason))
    # What a federated zone makes has to be distinguished from what the global control plane sends
    # down.
    if deployment.federated and resource_type.plugin and origin != "zone":
        reason = "the origin label must be set to 'zone'"
        violations.append(path.key(ORIGIN).violation(reason))
    return violations


def _zone_and_mesh_violations(
    labels: Mapping[str, str], mesh: str, deployment: Deployment, path: FieldPath
) -> list[Violation]:
    violations: list[Violation] = []
    if labels.get(ZONE, deployment.zone) != deployment.zone:
        reason = f"kuma.io/zone label should have {deployment.zone} value"
        violations.append(path.key(ZONE).violation(reason))
    if labels.get(MESH, mesh) != mesh:
        reason = "kuma.io/mesh label must not differ from mesh set on resource"
        violations.append(path.key(MESH).violation(reason))
    return violations


def _key_reasons(key: str) -> list[str]:
    # As Kubernetes checks a qualified name, texts included.
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        return [_QUALIFIED_NAME]
    reasons = []
    if slash and not prefix:
        reasons.append("prefix part must be non-empty")
    elif slash and len(prefix) > KEY_PREFIX_CHARACTERS_MAX:
        reasons.append(f"prefix part must be no more than {KEY_PREFIX_CHARACTERS_MAX} characters")
    if prefix and not _SUBDOMAIN.fullmatch(prefix):
        reasons.append(_PREFIX_FORM)
    if not name:
        reasons.append("name part must be non-empty")
    elif len(name) > LABEL_CHARACTERS_MAX:
        reasons.append(f"name part must be no more than {LABEL_CHARACTERS_MAX} characters")
    if not _KEY_NAME.fullmatch(name):
        reasons.append(f"name part {_KEY_FORM}")
    return reasons


def _value_reasons(value: str) -> list[str]:
    reasons = []
    if len(value) > LABEL_CHARACTERS_MAX:
        reasons.append(f"must be no more than {LABEL_CHARACTERS_MAX} characters")
    if not _VALUE.fullmatch(value):
        reasons.append(_VALUE_FORM)
    return reasons
