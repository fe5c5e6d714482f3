"""The validation cases of plugin types: over REST the schema speaks before the rules do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from kong_mesh_cp.core.resources.plugin_kind import PluginKind, read_document
from kong_mesh_cp.core.schema.record_faults import Faults
from kong_mesh_cp.core.schema.violations import Violation
from support.suites.validation_cases import JsonLoader, shared_folder


@dataclass(frozen=True)
class ValidationCase:
    id: str
    document: dict[str, Any]
    violations: frozenset[Violation]
    over_rest: bool
    name: str
    options: dict[str, Any]


def validation_cases(resource_type: str) -> list[Any]:
    """The cases of one type as parameters of a test; one skipped parameter where there are none."""
    folder = shared_folder()
    if folder is None:
        reason = "no shared data beside the checkout"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id=resource_type)]
    page = folder / "conformance" / "validation" / f"{resource_type}.yaml"
    cases = yaml.load(page.read_text(), JsonLoader)["cases"]
    return [pytest.param(_case(case), id=case["id"]) for case in cases]


def _case(case: dict[str, Any]) -> ValidationCase:
    found = frozenset(Violation(v["field"], v["message"]) for v in case["violations"])
    return ValidationCase(
        id=case["id"],
        document=yaml.load(case["input"], JsonLoader) or {},
        violations=found,
        over_rest=case["rest"],
        name=case.get("name", "resource"),
        options=case.get("options", {}),
    )


def found_in(kind: PluginKind[Any], case: ValidationCase) -> set[Violation]:
    """What `kind` says of a case: over REST the schema speaks first, in the other cases not at all.

    Those are inputs that the schema would refuse before the rules are asked; the rules are asked
    nevertheless, with the values that Go's decoder would have made of the input.
    """
    document = {"type": kind.type, "mesh": "mesh-1", "name": case.name, "spec": case.document}
    if case.over_rest:
        spec = kind.parse(document)
    else:
        spec = read_document(kind.type, kind.spec_type, document, Faults())
    return {*kind.validate_name(case.name, case.name), *kind.validate(spec)}
