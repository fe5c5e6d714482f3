"""`admission.meshQuotas`: the forms it is read in, and how a mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.settings.admission_rules import SEATS_MAX
from support.specs.configurations import loaded, problems, toml

WORDS = ("payments=50", "infra=unlimited", "*=10")


def test_quotas_are_read_from_text_a_list_and_a_table(tmp_path: Path) -> None:
    text = {"KMESH_ADMISSION_MESH_QUOTAS": "payments = 050, infra=unlimited,*=10"}
    assert loaded(environ=text).settings.admission.mesh_quotas == WORDS
    listed = '[admission]\nmeshQuotas = ["payments=50", "infra=unlimited", "*=10"]'
    assert loaded(toml(tmp_path, listed)).settings.admission.mesh_quotas == WORDS
    table = '[admission.meshQuotas]\npayments = 50\ninfra = "unlimited"\n"*" = 10'
    assert loaded(toml(tmp_path, table)).settings.admission.mesh_quotas == WORDS


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("50", "must be meshes with their numbers"),
        ("payments:50", "must be meshes with their numbers"),
        ("payments=50;shop=20", "of 'payments' must be a whole number"),
        ("payments=50,", "must be meshes with their numbers"),
        ("payments=50 shop=20", "of 'payments' must be a whole number"),
        ("payments=50\nshop=20", "of 'payments' must be a whole number"),
        ('{"payments": 50}', "must be meshes with their numbers"),
        ("payments=-1", "of 'payments' must be a whole number from 0"),
        ("payments=", "of 'payments' must be a whole number"),
        (f"payments={SEATS_MAX + 1}", f"from 0 to {SEATS_MAX}"),
        ("Pay_ments=1", "'Pay_ments' is no name of a mesh"),
        ("a=1,a=2", "'a' is there twice"),
    ],
)
def test_what_is_no_quota_is_refused_by_name(given: str, reason: str) -> None:
    (problem,) = problems(environ={"KMESH_ADMISSION_MESH_QUOTAS": given})
    assert reason in problem.message
