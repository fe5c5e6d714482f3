"""Every kind of this folder against the validation cases recorded from Kuma."""

from __future__ import annotations

from typing import Any

import pytest

from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from kong_mesh_cp.core.resources.plugin_kind import PluginKind
from support.suites.contract_suites import ValidationCase, found_in, validation_cases

CASES = [
    pytest.param(kind, *case.values, id=case.id, marks=case.marks)
    for kind in POLICY_KINDS.values()
    for case in validation_cases(kind.type)
]


@pytest.mark.parametrize(("kind", "case"), CASES)
def test_specs_are_checked_as_the_contract_says(
    kind: PluginKind[Any], case: ValidationCase
) -> None:
    assert found_in(kind, case) == case.violations
