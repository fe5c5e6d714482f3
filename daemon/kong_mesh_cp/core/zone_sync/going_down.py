"""What a global control plane sends to the zones, to which of them, and as what.

Source: docs/wire/zone-sync.md#down
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_values import JsonObject, is_object
from kong_mesh_cp.core.resources import labels
from kong_mesh_cp.core.resources.registry import TYPES
from kong_mesh_cp.core.zone_sync.directions import (
    CONFIG,
    GLOBAL_SECRET,
    KEEPING_NAMES,
    is_across_zones,
    is_of_global,
)
from kong_mesh_cp.core.zone_sync.synced_names import synced_name
from kong_mesh_cp.core.zone_sync.synced_resources import SyncedResource, with_labels

CLUSTER_ID: Final = "kuma-cluster-id"
ZONE_SIGNING_KEY: Final = "zone-token-signing-key"  # and a number
ZONE_PUBLIC_KEY: Final = "zone-token-signing-public-key"

# What a zone says that it can do, with its first request of a stream.
OPTIONAL_TARGET: Final = "optional-top-level-target-ref"
MULTI_ZONE_NAMES: Final = "hg-mz-selector"
PRODUCER_POLICIES: Final = "producer-policy-flow"
ASKED_FEATURES: Final = frozenset({OPTIONAL_TARGET, MULTI_ZONE_NAMES, PRODUCER_POLICIES})

_OWN_SECRETS: Final = frozenset(
    {"envoy-admin-ca", "admin-user-token", "inter-cp-ca", "user-token-revocations"}
)
_USER_SIGNING_KEY: Final = "user-token-signing-key"
_SYNCED_CONFIGS: Final = frozenset({CLUSTER_ID})
_POLICY_ROLE: Final = "kuma.io/policy-role"
_PRODUCER: Final = "producer"

PublicKeyOf = Callable[[bytes], bytes | None]  # PEM to PEM; None: it is no private key


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which a resource goes to a zone."""

    zone: str = ""  # where it comes from; "" is the global control plane itself
    features: frozenset[str] = frozenset()  # all of which the zone needs
    only_zone: str = ""  # the one it is about; "": all of them

    def met_by(
        self, zone: str, features: Collection[str], is_enabled: Callable[[str], bool]
    ) -> bool:
        """`is_enabled`: whether that zone takes part, as far as anybody knows."""
        if not self.features.issubset(features):
            return False
        if not self.zone:
            return True
        if self.zone == zone or self.only_zone not in {"", zone}:
            return False
        return is_enabled(self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A resource as zones get it. `plain_name`: for zones that know nothing of hashed names."""

    resource: SyncedResource
    plain_name: str
    terms: Terms


def offer_down(
    resource: SyncedResource, public_key_of: PublicKeyOf, skipped_prefixes: Sequence[str] = ()
) -> Offer | None:
    """What becomes of it for zones; None: it does not leave the global control plane."""
    terms = _terms(resource)
    if terms is None:
        return None
    told = with_labels(resource, {labels.ORIGIN: "global"}, skipped_prefixes)
    key = told.key
    if key.type == GLOBAL_SECRET and key.name.startswith(ZONE_SIGNING_KEY):
        public = _public(told, public_key_of)
        if public is None:
            return None
        told = public
    if key.type == "MeshService":
        told = replace(told, status=None)  # each zone gives it addresses of its own
    plain_name = told.key.name
    if key.type not in KEEPING_NAMES:
        shown = labels.display_name(key.name, told.labels)
        named = with_labels(told, {labels.DISPLAY_NAME: shown})
        told = replace(named, key=key._replace(name=synced_name(key, told.labels)))
    return Offer(resource=told, plain_name=plain_name, terms=terms)


def _terms(resource: SyncedResource) -> Terms | None:
    key, given = resource.key, resource.labels
    if resource.stays_here or _is_own_business(resource):
        return None
    is_policy = TYPES[key.type].plugin and TYPES[key.type].is_policy
    features: set[str] = set()
    if is_policy and "targetRef" not in resource.spec:
        features.add(OPTIONAL_TARGET)
    if key.type == "HostnameGenerator" and _selects_multi_zone(resource.spec):
        features.add(MULTI_ZONE_NAMES)
    if given.get(labels.ORIGIN) in {None, "", "global"}:
        return Terms(features=frozenset(features)) if is_of_global(key.type) else None
    if not is_across_zones(key.type):
        return None
    only_zone = ""
    if is_policy:
        if given.get(_POLICY_ROLE) != _PRODUCER or not _is_producer(resource):
            return None
        features.add(PRODUCER_POLICIES)
        only_zone = _zone_of_target(resource.spec)
    return Terms(zone=_zone_of(resource), features=frozenset(features), only_zone=only_zone)


def _is_own_business(resource: SyncedResource) -> bool:
    key = resource.key
    if key.type == CONFIG:
        return key.name not in _SYNCED_CONFIGS
    if key.type == GLOBAL_SECRET:
        return key.name in _OWN_SECRETS or key.name.startswith(_USER_SIGNING_KEY)
    return False


def _zone_of(resource: SyncedResource) -> str:
    """The zone that a resource which is not of the global control plane is of."""
    if resource.key.type == "ZoneIngress":
        return str(resource.spec.get("zone", ""))
    return resource.labels.get(labels.ZONE) or resource.key.name.partition(".")[0]


def _selects_multi_zone(spec: JsonObject) -> bool:
    selector = spec.get("selector")
    return is_object(selector) and selector.get("meshMultiZoneService") is not None


def _zone_of_target(spec: JsonObject) -> str:
    target = spec.get("targetRef")
    if not is_object(target) or target.get("kind") != "MeshSubset":
        return ""
    tags = target.get("tags")
    return str(tags.get(labels.ZONE, "")) if is_object(tags) else ""


def _is_producer(resource: SyncedResource) -> bool:
    """Whether all of its destinations are services of its own namespace (on Kubernetes)."""
    namespace = resource.labels.get(labels.NAMESPACE)
    to, origins = resource.spec.get("to"), resource.spec.get("from")
    if not namespace or origins or not isinstance(to, list) or not to:
        return False
    return all(is_object(each) and _is_own_service(each.get("targetRef"), namespace) for each in to)


def _is_own_service(target: object, namespace: str) -> bool:
    if not is_object(target) or target.get("kind") != "MeshService" or not target.get("name"):
        return False
    return target.get("namespace") in {None, "", namespace}


def _public(resource: SyncedResource, public_key_of: PublicKeyOf) -> SyncedResource | None:
    """The public half of a key for zone tokens, under the name of one."""
    try:
        private = base64.b64decode(str(resource.spec.get("data", "")), validate=True)
    except (binascii.Error, ValueError):
        return None
    public = public_key_of(private)
    if public is None:
        return None
    key = resource.key
    named = with_labels(resource, {labels.DISPLAY_NAME: key.name})
    return replace(
        named,
        key=key._replace(name=key.name.replace(ZONE_SIGNING_KEY, ZONE_PUBLIC_KEY)),
        spec={"data": base64.b64encode(public).decode()},
    )
