"""Tags of proxies and services, selectors of them, and the checks that many kinds share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX, hostname_reasons, is_dns_name, is_ip
from kong_mesh_cp.core.formats.go.go_quote import go_quote
from kong_mesh_cp.core.schema.messages import EMPTY, Message, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation

SERVICE: Final = "kuma.io/service"
PROTOCOL: Final = "kuma.io/protocol"
ZONE: Final = "kuma.io/zone"
SERVICE_UNKNOWN: Final = "unknown"  # of a proxy that offers none
EXTERNAL_SERVICE: Final = "kuma.io/external-service-name"
# As the text of the refusal lists them; these and two more are known.
PROTOCOLS: Final = ("grpc", "http", "http2", "kafka", "tcp")
_KNOWN_PROTOCOLS: Final = frozenset({*PROTOCOLS, "mysql", "tls"})

Tags = Mapping[str, str]

_NAME: Final = re.compile(r"[a-zA-Z0-9.\-_:/]*")
_VALUE: Final = re.compile(r"[a-zA-Z0-9.\-_:]*")
# Slashes are for selectors alone; a value in a tag becomes part of a SPIFFE id.
_SELECTOR_VALUE: Final = re.compile(r"[a-zA-Z0-9.\-_:/]*|\*")

PORT_RANGE: Final = f"port must be in the range [1, {PORT_MAX}]"
MUST_BE_POSITIVE: Final = "must have a positive value"
CANNOT_BE_EMPTY: Final = "cannot be empty"
_NAME_CHARACTERS: Final = (
    "tag name must consist of alphanumeric characters, dots, dashes, slashes and underscores"
)
_VALUE_CHARACTERS: Final = (
    "tag value must consist of alphanumeric characters, dots, dashes and underscores"
)
_SELECTOR_CHARACTERS: Final = (
    "tag value must consist of alphanumeric characters, dots, dashes, slashes and underscores "
    'or be "*"'
)


@dataclass(frozen=True, slots=True)
class Selector(Message):
    """Proxies whose tags hold all of `match`; the value `*` is any."""

    match: Mapping[str, str] = proto(EMPTY, number=1)


def values_by_tag(tag_sets: Iterable[Tags]) -> Mapping[str, list[str]]:
    """What several sets of tags, as of the inbounds of a proxy, say together. Both are sorted."""
    found: dict[str, set[str]] = {}
    for tags in tag_sets:
        for tag, value in tags.items():
            found.setdefault(tag, set()).add(value)
    return {tag: sorted(found[tag]) for tag in sorted(found)}


Check = Callable[[FieldPath, Tags], list[Violation]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRules:
    """What is asked of a set of tags beyond the form of names and values."""

    at_least_one: bool = False
    service_required: bool = False
    service_forbidden: bool = False
    forbidden_names: frozenset[str] = frozenset()
    only_service: bool = False
    check: Check | None = None  # of the whole set, before its tags are looked at


def tag_violations(path: FieldPath, tags: Tags, rules: TagRules = TagRules()) -> list[Violation]:
    """Tags that something has: no wildcards, no slashes in values."""
    return _violations(path, tags, rules, _VALUE, _VALUE_CHARACTERS)


def selector_violations(
    path: FieldPath, tags: Tags, rules: TagRules = TagRules()
) -> list[Violation]:
    """Tags that something is chosen by."""
    return _violations(path, tags, rules, _SELECTOR_VALUE, _SELECTOR_CHARACTERS)


def _violations(
    path: FieldPath, tags: Tags, rules: TagRules, values: re.Pattern[str], values_text: str
) -> list[Violation]:
    violations: list[Violation] = []
    # The order of all that follows is Kuma's: the set as a whole, then each tag by name, then the
    # service tag.
    if rules.at_least_one and not tags:
        violations.append(path.violation("must have at least one tag"))
    if rules.only_service and set(tags) != {SERVICE}:
        violations.append(path.violation(f'must consist of exactly one tag "{SERVICE}"'))
    if rules.check is not None:
        violations += rules.check(path, tags)
    # Go sorts the keys of a map before it reports, since its own order is random.
    for name in sorted(tags):
        if not name:
            violations.append(path.violation("tag name must be non-empty"))
        at = path.key(name)
        violations += map(at.violation, _name_reasons(name, rules))
        # An empty value fits the expression below, so it gets this text alone.
        if not tags[name]:
            violations.append(at.violation("tag value must be non-empty"))
        if not values.fullmatch(tags[name]):
            violations.append(at.violation(values_text))
    if rules.service_forbidden and SERVICE in tags:
        violations.append(path.violation(f'"{SERVICE}" must not be defined'))
    if rules.service_required and SERVICE not in tags:
        violations.append(path.violation(f'mandatory tag "{SERVICE}" is missing'))
    return violations


def _name_reasons(name: str, rules: TagRules) -> list[str]:
    reasons = []
    if not _NAME.fullmatch(name):
        reasons.append(_NAME_CHARACTERS)
    if name in rules.forbidden_names:
        reasons.append(f"tag name must not be {go_quote(name)}")
    if rules.only_service and name != SERVICE:
        reasons.append(f"tag {go_quote(name)} is not allowed")
    return reasons


def selectors_violations(
    path: FieldPath,
    selectors: Sequence[Selector],
    rules: TagRules,
    *,
    at_least_one: bool = True,
    at_most_one: bool = False,
) -> list[Violation]:
    """A list of selectors, such as the sources of a legacy policy."""
    violations: list[Violation] = []
    if at_least_one and not selectors:
        violations.append(path.violation("must have at least one element"))
    for index, selector in enumerate(selectors):
        at = path.index(index)
        violations += selector_violations(at.field("match"), selector.match, rules)
        # At each of the others: none is more superfluous than the next.
        if at_most_one and index:
            violations.append(at.violation("there can be at most one selector"))
    return violations


def protocol_check(path: FieldPath, tags: Tags) -> list[Violation]:
    """The protocol tag, if there is one, names a protocol, in letters of any case."""
    protocol = tags.get(PROTOCOL)
    if protocol is None or protocol.lower() in _KNOWN_PROTOCOLS:
        return []
    reason = f'tag "{PROTOCOL}" has an invalid value {go_quote(protocol)}. '
    return [path.key(PROTOCOL).violation(reason + allowed_values(*PROTOCOLS))]


def allowed_values(*values: str) -> str:
    return f"Allowed values: {', '.join(values)}"


def port_violations(path: FieldPath, port: int) -> list[Violation]:
    return [] if 1 <= port <= PORT_MAX else [path.violation(PORT_RANGE)]


def hostname_violations(path: FieldPath, hostname: str) -> list[Violation]:
    return [path.violation(reason) for reason in hostname_reasons(hostname)]


def address_violations(path: FieldPath, address: str) -> list[Violation]:
    """An address that others dial: an IP address or a name, and not the one for all."""
    at = path.field("address")
    if not address:
        return [at.violation("address can't be empty")]
    violations = []
    # Other hosts get this address, and none can reach a wildcard.
    if address in {"0.0.0.0", "::"}:  # noqa: S104  refused here, not listened on
        violations.append(at.violation("must not be 0.0.0.0 or ::"))
    if not is_ip(address) and not is_dns_name(address):
        violations.append(at.violation("address has to be valid IP address or domain name"))
    return violations


# Go's nil and zero duration are one here: Kuma asks for "positive" in both cases.
def duration_violations(path: FieldPath, nanoseconds: int | None) -> list[Violation]:
    """A duration that has to be there, and not be zero."""
    return [] if nanoseconds else [path.violation(MUST_BE_POSITIVE)]


def threshold_violations(path: FieldPath, threshold: int) -> list[Violation]:
    return [] if threshold else [path.violation(MUST_BE_POSITIVE)]
