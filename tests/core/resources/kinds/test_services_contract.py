"""The kinds of services and of their host names against the validation cases recorded from Kuma."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.resources.kinds.services import (
    hostname_generator,
    mesh_external_service,
    mesh_multi_zone_service,
    mesh_service,
)
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from support.suites.contract_suites import ValidationCase, found_in, validation_cases

KINDS: tuple[PluginKind[Any], ...] = (
    hostname_generator.KIND,
    mesh_external_service.KIND,
    mesh_multi_zone_service.KIND,
    mesh_service.KIND,
)
CASES = [
    pytest.param(kind, *case.values, id=case.id, marks=case.marks)
    for kind in KINDS
    for case in validation_cases(kind.type)
]


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_services_are_checked_as_the_contract_says(
    kind: PluginKind[Any], case: ValidationCase
) -> None:
    assert found_in(kind, case) == case.violations
