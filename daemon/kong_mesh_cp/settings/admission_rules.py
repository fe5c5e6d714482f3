"""Rules and quotas of admissions as written: from plain values to those of the core.

`[[admission.rules]]` is a list of tables, `admission.meshQuotas` is `payments=50,*=10`, a list of
such texts, or a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Final

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.admission.mesh_quotas import EVERY_OTHER, UNLIMITED
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.settings.forms import DIGITS, LABEL, Form, MalformedError, must_be
from kong_mesh_cp.settings.problems import quoted

ID_MAX = 2**32 - 2  # (uid_t) -1 means "no change"
RULES_MAX = 1000  # each is tried for every admission

_KEYS = tuple(one.name for one in fields(Rule))


def _rules(value: object) -> tuple[Rule, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) > RULES_MAX:
        raise must_be(RULES.expected)
    return tuple(_rule(entry, f"rule {number}") for number, entry in enumerate(value, start=1))


def _rule(entry: object, at: str) -> Rule:
    if not isinstance(entry, Mapping):
        raise must_be(f"{RULES.expected}; {at} is not a table")
    for key in entry:
        if key not in _KEYS:
            known = ", ".join(_KEYS)
            raise MalformedError(f"{at} has {quoted(str(key))}, which is none of {known}")
    try:
        return Rule(
            unit=_text(entry, "unit", at),
            user=_text(entry, "user", at),
            group=_text(entry, "group", at),
            uid=_id(entry, "uid", at),
            gid=_id(entry, "gid", at),
            mesh=_text(entry, "mesh", at),
            name=_text(entry, "name", at),
            tags=_tags(entry, at),
        )
    except ConfigurationError as error:
        hint = error.hint.rstrip(".")
        raise MalformedError(f"{at}: {error.message}. {hint}") from None


def _text(entry: Mapping[object, object], key: str, at: str) -> str | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value or not value.isprintable():
        raise MalformedError(f"{key} of {at} must be text that is not empty")
    return value


def _id(entry: Mapping[object, object], key: str, at: str) -> int | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, str) and DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= ID_MAX:
        raise MalformedError(f"{key} of {at} must be a number from 0 to {ID_MAX}")
    return value


def _tags(entry: Mapping[object, object], at: str) -> Mapping[str, str]:
    tags = entry.get("tags")
    if tags is None:
        return {}
    wrong = MalformedError(f"tags of {at} must be a table of texts that are not empty")
    if not isinstance(tags, Mapping):
        raise wrong
    read: dict[str, str] = {}
    for name, value in tags.items():
        if not isinstance(name, str) or not isinstance(value, str) or not name or not value:
            raise wrong
        if not name.isprintable() or not value.isprintable():
            raise wrong
        read[name] = value
    return read


RULES = Form(f"a list of at most {RULES_MAX} [[admission.rules]] tables", _rules)

SEATS_MAX: Final = 1_000_000  # no license has more
QUOTAS_MAX: Final = 1_000


def _quotas(value: object) -> tuple[str, ...]:
    """The same texts, whatever they were written as: each mesh once, the number without zeros."""
    found: dict[str, str] = {}
    for mesh, seats in _pairs(value):
        if mesh != EVERY_OTHER and not LABEL.fullmatch(mesh):
            raise MalformedError(f"{_EXPECTED}; {quoted(mesh)} is no name of a mesh")
        if mesh in found:
            raise MalformedError(f"must name each mesh once; {quoted(mesh)} is there twice")
        found[mesh] = _seats(mesh, seats)
    if len(found) > QUOTAS_MAX:
        raise must_be(f"at most {QUOTAS_MAX} quotas")
    return tuple(f"{mesh}={seats}" for mesh, seats in found.items())


def _pairs(value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(str(mesh), seats) for mesh, seats in value.items()]
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, Sequence):
        raise MalformedError(_EXPECTED)
    pairs: list[tuple[str, object]] = []
    for word in words:
        mesh, equals, seats = word.partition("=") if isinstance(word, str) else ("", "", "")
        if not equals:
            raise MalformedError(_EXPECTED)
        pairs.append((mesh.strip(), seats.strip()))
    return pairs


def _seats(mesh: str, given: object) -> str:
    if given == UNLIMITED:
        return UNLIMITED
    if isinstance(given, str) and DIGITS.fullmatch(given):
        given = int(given)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= SEATS_MAX:
        reason = f"a whole number from 0 to {SEATS_MAX}, or {UNLIMITED}"
        raise MalformedError(f"of {quoted(mesh)} must be {reason}")
    return str(given)


_EXPECTED: Final = (
    "must be meshes with their numbers, such as payments=50,shop=20,*=10"
    f" ({EVERY_OTHER}: every other mesh)"
)
MESH_QUOTAS: Final = Form(_EXPECTED.removeprefix("must be "), _quotas)
