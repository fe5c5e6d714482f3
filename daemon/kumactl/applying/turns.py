"""In which order resources are applied, so that each finds what it needs.

A mesh comes first, then its secrets, then what may need both. A Mesh that takes its certificates
from secrets of the same run needs them, and they need the mesh: then it is declared first, without
anything in it, and comes whole behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from kumactl.applying.given import Given

_DECLARED: Final = ("type", "name", "skipCreatingInitialPolicies")
# Once they are applied, the token of the user who applies is void.
_LAST_PREFIX: Final = "user-token-signing-key"


def in_turn(given: Sequence[Given]) -> list[Given]:
    """`given`, each resource once, and before them the declarations of meshes that need one."""
    last = {each.document.path: each for each in given}
    meshes = {each.document.path for each in last.values() if each.document.type.name == "Mesh"}
    declared: dict[str, Given] = {}
    for each in given:
        path = each.document.path
        if path in meshes and path not in declared and each is not last[path]:
            declared[path] = replace(each, declares=True)
    secrets = _secrets(last.values())
    for path in meshes - declared.keys():
        mesh = last[path].document
        if any(name in secrets.get(mesh.name, ()) for name in secrets_of(mesh.body)):
            body = {key: mesh.body[key] for key in _DECLARED if key in mesh.body}
            bare = replace(mesh, body=body)
            declared[path] = replace(last[path], document=bare, declares=True)
    # Those that were given twice stand where the last of them stands.
    once = [each for each in given if last[each.document.path] is each]
    return [*declared.values(), *sorted(once, key=lambda each: _turn(each, secrets))]


def given_twice(given: Sequence[Given]) -> Iterator[tuple[Given, Given]]:
    """Resources that have no effect, since another of the same name follows: both of them."""
    last = {each.document.path: each for each in given}
    for each in given:
        following = last[each.document.path]
        if following is each or (
            each.document.type.name == "Mesh" and each.document.body.keys() <= set(_DECLARED)
        ):
            continue
        yield each, following


def secrets_of(value: object) -> Iterator[str]:
    """The names of the secrets that a Mesh takes something from: values of members `secret`."""
    if isinstance(value, dict):
        name = value.get("secret")
        if isinstance(name, str):
            yield name
        for item in value.values():
            yield from secrets_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from secrets_of(item)


def _secrets(given: Iterable[Given]) -> dict[str, set[str]]:
    """The names of the secrets that are given, by mesh."""
    found: dict[str, set[str]] = {}
    for each in given:
        if each.document.type.name == "Secret":
            found.setdefault(each.document.mesh, set()).add(each.document.name)
    return found


def _turn(each: Given, secrets: dict[str, set[str]]) -> int:
    document = each.document
    match document.type.name:
        case "Mesh":
            needed = secrets.get(document.name, set())
            return 2 if needed.intersection(secrets_of(document.body)) else 0
        case "Secret":
            return 1
        case "GlobalSecret" if document.name.startswith(_LAST_PREFIX):
            return 4
        case _:
            return 3
