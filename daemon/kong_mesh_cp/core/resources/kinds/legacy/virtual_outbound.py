"""VirtualOutbound: host names and ports made of the tags of proxies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.addresses import PORT_MAX, is_dns_name
from kong_mesh_cp.core.formats.go_quote import go_quote
from kong_mesh_cp.core.formats.go_template import (
    FUNCTIONS,
    TEMPLATE_CHARACTERS_MAX,
    filled,
    template_fault,
)
from kong_mesh_cp.core.resources.kind import Kind, proto_kind
from kong_mesh_cp.core.resources.kinds.legacy.connections import ANY_TAG, HAS_TO_BE_DEFINED
from kong_mesh_cp.core.resources.tags import SERVICE, Selector, selectors_violations
from kong_mesh_cp.core.schema.messages import Message, proto
from kong_mesh_cp.core.schema.violations import FieldPath, Violation, root

PORT_DIGITS_MAX: Final = 19  # of a signed 64-bit number

_TAG_NAME: Final = re.compile(r"[a-zA-Z0-9.\-_:/]*")
_PARAMETER: Final = re.compile(r"[a-zA-Z0-9]+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateParameter(Message):
    """A name in the templates, and the tag of the service that it stands for."""

    name: str = proto("", number=1)
    tag_key: str = proto("", number=2, original=True)  # "" for `name`


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf(Message):
    """Templates of the host and the port of a service."""

    host: str = proto("", number=1)
    port: str = proto("", number=2)
    parameters: tuple[TemplateParameter, ...] = proto((), number=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualOutbound(Message):
    """The spec of a VirtualOutbound: names that services get from their tags."""

    selectors: tuple[Selector, ...] = proto((), number=1)
    conf: Conf | None = proto(number=2)


def violations(policy: VirtualOutbound) -> list[Violation]:
    """Everything that is wrong with a VirtualOutbound; templates are tried out with dummies."""
    found = selectors_violations(root("selectors"), policy.selectors, ANY_TAG)
    path = root("conf")
    if policy.conf is None:
        return [*found, path.violation(HAS_TO_BE_DEFINED)]
    found += _parameters(policy.conf, path.field("parameters"))
    for name, template, fault in (
        ("host", policy.conf.host, _host_fault(policy.conf)),
        ("port", policy.conf.port, _port_fault(policy.conf)),
    ):
        at = path.field(name)
        if not template:
            found.append(at.violation(HAS_TO_BE_DEFINED))
        elif fault is not None:
            reason = f"template pre evaluation failed with error={go_quote(fault)}"
            found.append(at.violation(reason))
    return found


def _parameters(conf: Conf, path: FieldPath) -> list[Violation]:
    found: list[Violation] = []
    used: set[str] = set()
    for index, parameter in enumerate(conf.parameters):
        at = path.index(index)
        name = at.field("name")
        # All faults of a parameter are listed: Kuma does not stop at the first.
        if parameter.name in used:
            found.append(name.violation("name is already used"))
        used.add(parameter.name)
        if not _TAG_NAME.fullmatch(parameter.tag_key):
            found.append(at.field("tagKey").violation("must be a valid tag name"))
        # Without a tag key the parameter's name is the tag's name too, and has both rules.
        if not parameter.tag_key and not _TAG_NAME.fullmatch(parameter.name):
            reason = "must be a valid tag name if you are not setting tagKey"
            found.append(name.violation(reason))
        if not _PARAMETER.fullmatch(parameter.name):
            reason = "must consist of alphanumeric characters to be used as a gotemplate key"
            found.append(name.violation(reason))
    # Otherwise two services could get one name, and one would be unreachable.
    if all(parameter.tag_key != SERVICE for parameter in conf.parameters):
        found.append(path.violation(f"must contain a parameter with {SERVICE} as a tagKey"))
    return found


def evaluated(template: str, values: Mapping[str, str]) -> str | None:
    """`template` with its parameters filled in; None if it is long, or not run here.

    Longer ones are taken, but not tried out. A parameter that is not there shows up in the result,
    and makes it no host name and no number.
    """
    if len(template) > TEMPLATE_CHARACTERS_MAX:
        return None
    return filled(template, values)


def _tried(template: str, conf: Conf, dummy: str) -> tuple[str | None, str | None]:
    """The template with `dummy` for each parameter, or why it is no template."""
    fault = template_fault(template, FUNCTIONS, conditions=True)
    if fault is not None:
        return None, f"failed compiling gotemplate error={go_quote(fault)}"
    return evaluated(template, {each.name: dummy for each in conf.parameters}), None


def _host_fault(conf: Conf) -> str | None:
    # With a word that is a DNS label, so that only the template itself can be wrong.
    host, fault = _tried(conf.host, conf, "dummy")
    if host is None or is_dns_name(host):
        return fault
    shown = go_quote(host)
    return f"evaluation of template with parameters didn't return a valid dns name result={shown}"


def _port_fault(conf: Conf) -> str | None:
    # With a digit for every parameter: tags that hold ports make longer numbers, which the proxy
    # checks.
    text, fault = _tried(conf.port, conf, "1")
    if text is None:
        return fault
    # Go's Atoi, which takes a sign; the digits are bounded because int() of many is slow.
    if not _NUMBER.fullmatch(text) or len(text) > PORT_DIGITS_MAX:
        return (
            "evaluation of template with parameters didn't evaluate to a parsable number "
            f"result={go_quote(text)}"
        )
    port = int(text)
    if 1 <= port <= PORT_MAX:
        return None
    return (
        f"evaluation of template returned a port outside of the range [1..{PORT_MAX}] result={port}"
    )


KIND: Final[Kind[VirtualOutbound]] = proto_kind("VirtualOutbound", VirtualOutbound, violations)
