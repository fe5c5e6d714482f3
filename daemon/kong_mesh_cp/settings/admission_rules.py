"""`[[admission.rules]]` as written in a file: from plain values to the rules of the core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.errors import ConfigurationError
from kong_mesh_cp.settings.forms import DIGITS, Form, MalformedError, must_be
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
