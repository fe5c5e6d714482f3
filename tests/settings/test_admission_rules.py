"""`[[admission.rules]]`: what an entry may hold and how a mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.settings.admission_rules import RULES_MAX
from support.specs.configurations import kuma_yaml, loaded, problems, toml

FULL = """
[[admission.rules]]
unit = "kuma-dp@*.service"
user = "mesh"
group = "mesh"
uid = 0
gid = 4294967294
mesh = "default"
name = "{instance}"
tags = { team = "payments", "kuma.io/service" = "backend" }
[[admission.rules]]
user = "ops"
"""


def test_rules_are_read_in_their_order(tmp_path: Path) -> None:
    first, second = loaded(toml(tmp_path, FULL)).settings.admission.rules
    assert first == Rule(
        unit="kuma-dp@*.service",
        user="mesh",
        group="mesh",
        uid=0,
        gid=4294967294,
        mesh="default",
        name="{instance}",
        tags={"team": "payments", "kuma.io/service": "backend"},
    )
    assert second == Rule(user="ops")


def test_rules_are_read_from_yaml_too(tmp_path: Path) -> None:
    text = "admission:\n  rules:\n  - uid: 1000\n    tags: {team: payments}\n"
    (rule,) = loaded(kuma_yaml(tmp_path, text)).settings.admission.rules
    assert rule == Rule(uid=1000, tags={"team": "payments"})


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('mesh = "default"', "no selector"),
        ('uid = 1\nnmae = "x"', "'nmae'"),
        ('unit = "x"\nname = "{pid}"', "{pid}"),
        ('unit = ""', "unit of rule 1"),
        ("unit = 5", "unit of rule 1"),
        ('unit = "a\\nb"', "unit of rule 1"),
        ('user = "a"\nmesh = ["a"]', "mesh of rule 1"),
        ("uid = -1", "uid of rule 1"),
        ("uid = 4294967295", "uid of rule 1"),
        ("gid = true", "gid of rule 1"),
        ('uid = "root"', "uid of rule 1"),
        ('uid = 1\ntags = ["a"]', "tags of rule 1"),
        ("uid = 1\ntags = { a = 1 }", "tags of rule 1"),
        ('uid = 1\ntags = { a = "" }', "tags of rule 1"),
        ('uid = 1\ntags = { "" = "a" }', "tags of rule 1"),
        ('uid = 1\ntags = { a = "b\\u0000" }', "tags of rule 1"),
    ],
)
def test_a_mistake_in_a_rule_is_named(tmp_path: Path, entry: str, words: str) -> None:
    (problem,) = problems(toml(tmp_path, f"[[admission.rules]]\n{entry}\n"))
    assert problem.code == "config-value"
    assert words in problem.message
    assert "admission.rules" in problem.message
    assert problem.line.isprintable()


def test_the_second_rule_is_named_when_it_is_the_wrong_one(tmp_path: Path) -> None:
    text = "[[admission.rules]]\nuid = 1\n[[admission.rules]]\nuid = -1\n"
    (problem,) = problems(toml(tmp_path, text))
    assert "rule 2" in problem.message


@pytest.mark.parametrize("value", ['"all"', "5", "{ uid = 1 }", "[1]", '["unit"]'])
def test_rules_are_a_list_of_tables(tmp_path: Path, value: str) -> None:
    (problem,) = problems(toml(tmp_path, f"[admission]\nrules = {value}\n"))
    assert "[[admission.rules]]" in problem.message


def test_there_is_a_limit_to_the_number_of_rules(tmp_path: Path) -> None:
    entry = "[[admission.rules]]\nuid = 1\n"
    assert problems(toml(tmp_path, entry * RULES_MAX)) == ()
    (problem,) = problems(toml(tmp_path, entry * (RULES_MAX + 1)))
    assert str(RULES_MAX) in problem.message
