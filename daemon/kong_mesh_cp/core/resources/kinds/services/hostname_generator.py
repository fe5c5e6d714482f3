"""HostnameGenerator: how services get their host names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Annotated, Final

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.go.go_template import TEMPLATE_CHARACTERS_MAX, template_fault
from kong_mesh_cp.core.resources.plugin_kind import plugin_kind
from kong_mesh_cp.core.schema.record_terms import EMPTY_IF_ABSENT, OMIT_EMPTY
from kong_mesh_cp.core.schema.value_checks import MUST_NOT_BE_EMPTY
from kong_mesh_cp.core.schema.violations import Violation, root

FUNCTIONS: Final = frozenset({"label"})  # `{{ label "team" }}`: a label of the service


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelector:
    """The services of each kind that a generator is for, by their labels."""

    match_labels: Annotated[Mapping[str, str], OMIT_EMPTY] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Exactly one of them."""

    mesh_service: LabelSelector | None = None
    mesh_external_service: LabelSelector | None = None
    # Counted below, though Kuma's text names only the first two.
    mesh_multi_zone_service: LabelSelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostnameGenerator:
    """A template of hostnames for services."""

    selector: Annotated[Selector, EMPTY_IF_ABSENT]
    template: Annotated[str, OMIT_EMPTY] = ""


def _violations(spec: HostnameGenerator) -> Iterator[Violation]:
    at = root("spec")
    selectors = (
        spec.selector.mesh_service,
        spec.selector.mesh_external_service,
        spec.selector.mesh_multi_zone_service,
    )
    if sum(selector is not None for selector in selectors) != 1:
        yield at.field("selector").violation(
            "exact one selector (meshService, meshExternalService) must be defined"
        )
    if not spec.template:
        # Nothing more can be said of a template that is not there.
        yield at.field("template").violation(MUST_NOT_BE_EMPTY)
        return
    if len(spec.template) > TEMPLATE_CHARACTERS_MAX:
        reason = f"must not have more than {TEMPLATE_CHARACTERS_MAX} characters"
        yield at.field("template").violation(reason)
        return
    # Only parsed: whether the result is a host name depends on the service, and is said in its
    # status.
    fault = template_fault(spec.template, FUNCTIONS)
    if fault is not None:
        yield at.field("template").violation(f"couldn't parse template: {fault}")


KIND: Final = plugin_kind("HostnameGenerator", HostnameGenerator, _violations)
