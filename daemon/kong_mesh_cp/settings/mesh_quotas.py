"""`admission.meshQuotas` as written: `payments=50,*=10`, a list of such texts, or a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from kong_mesh_cp.core.admission.mesh_quotas import EVERY_OTHER, UNLIMITED
from kong_mesh_cp.settings.forms import DIGITS, LABEL, Form, MalformedError, must_be
from kong_mesh_cp.settings.problems import quoted

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
