"""Several confs become one: RFC 7396, but for lists that are joined.

Confs come in ascending priority. They are never changed; what is returned may share parts with
them.

Source: docs/wire/policies.md#merging
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeGuard

from kong_mesh_cp.core.policy.rules.policy import Conf

_JOINED_PREFIX: Final = "append"  # appendProfiles, appendMatch, appendModifications


def merge_confs(confs: Iterable[Conf]) -> Conf:
    """Each conf is a JSON merge patch upon those before it; `append…` lists are joined instead."""
    result: Conf = {}
    for conf in confs:
        result = _patched(result, conf)
    return result


def merge_keyed_confs(confs: Sequence[Conf]) -> tuple[Conf, ...]:
    """Merge the confs of HTTP routes: one result a hostname, with `rules` merged by `matches`.

    A conf for several hostnames takes part in each of them; one without any is a group of its
    own. Groups come in the order in which the confs mention them.
    """
    groups: dict[str, list[Conf]] = {}
    for conf in confs:
        for hostname in _list(conf, "hostnames") or [""]:
            if isinstance(hostname, str):
                alone = {**conf, "hostnames": [hostname]} if hostname else conf
                groups.setdefault(hostname, []).append(alone)
    return tuple(_merged_by_matches(group) for group in groups.values())


def _patched(target: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    result = dict(target)
    for member, value in patch.items():
        before = result.get(member)
        # RFC 7396, section 2: null takes the member away.
        if value is None:
            result.pop(member, None)
        elif _is_object(value):
            # A new object is patched upon nothing, which rids it of its nulls.
            result[member] = _patched(before if _is_object(before) else {}, value)
        # At any depth: MeshMetric has one inside of `sidecar.profiles`.
        elif member.startswith(_JOINED_PREFIX) and isinstance(value, list):
            result[member] = [*before, *value] if isinstance(before, list) else value
        else:
            result[member] = value
    return result


def _merged_by_matches(confs: Sequence[Conf]) -> Conf:
    rest = merge_confs(
        {member: value for member, value in conf.items() if member != "rules"} for conf in confs
    )
    rules = _rules_by_matches(confs)
    return {**rest, "rules": rules} if rules else rest


def _rules_by_matches(confs: Sequence[Conf]) -> list[object]:
    """Rules with equal matches are one; they stand where the most important of them stood.

    Within one conf the first rule with the same matches counts most, as in the Gateway API,
    hence everything is read backwards and turned round at the end.
    """
    defaults: list[tuple[object, list[Conf]]] = []
    for rule in _ascending_rules(confs):
        matches = rule.get("matches")
        # Compared as JSON values: the order of members does not matter, that of matches does.
        same = [entry for entry in defaults if entry[0] == matches]
        before = same[0][1] if same else []
        defaults = [entry for entry in defaults if entry[0] != matches]
        conf = rule.get("default")
        defaults.append((matches, [*before, conf if _is_object(conf) else {}]))
    return [_rule(matches, merge_confs(confs)) for matches, confs in reversed(defaults)]


def _rule(matches: object, conf: Conf) -> Conf:
    return {"default": conf} if matches is None else {"matches": matches, "default": conf}


def _ascending_rules(confs: Sequence[Conf]) -> Iterable[Mapping[str, object]]:
    for conf in confs:
        for rule in reversed(_list(conf, "rules")):
            if _is_object(rule):
                yield rule


def _list(conf: Conf, member: str) -> list[object]:
    value = conf.get(member)
    return value if isinstance(value, list) else []


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    # JSON gives string keys only, so the keys need no look.
    return isinstance(value, Mapping)
