"""Several confs become one: RFC 7396, but for lists that are joined.

Confs come in ascending priority. They are never changed; what is returned may share parts with
them.

Source: docs/wire/policies.md#merging
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeGuard, TypeVar

from kong_mesh_cp.core.policy.rules.policy import Conf

_JOINED_PREFIX: Final = "append"  # appendProfiles, appendMatch, appendModifications

S = TypeVar("S")


class KeyedRule(NamedTuple, Generic[S]):
    """One rule of a merged HTTP route, and the confs it is merged from, each with its source."""

    matches: object
    confs: list[tuple[S, Conf]]  # in ascending priority


class KeyedGroup(NamedTuple, Generic[S]):
    """What an HTTP route for one hostname is merged from; `rules` in the order of the result."""

    rest: list[tuple[S, Conf]]  # all members beside `rules`
    rules: list[KeyedRule[S]]


def merge_confs(confs: Iterable[Conf]) -> Conf:
    """Each conf is a JSON merge patch upon those before it; `append…` lists are joined instead."""
    result: Conf = {}
    for conf in confs:
        result = patched(result, conf)
    return result


def merge_keyed_confs(confs: Sequence[Conf]) -> tuple[Conf, ...]:
    """Merge the confs of HTTP routes: one result a hostname, with `rules` merged by `matches`."""
    return tuple(_merged(group) for group in keyed_groups([(None, conf) for conf in confs]))


def keyed_groups(confs: Iterable[tuple[S, Conf]]) -> list[KeyedGroup[S]]:
    """What the confs of HTTP routes, each with its source, are merged from: a group a hostname.

    A conf for several hostnames takes part in each of them; one without any is a group of its
    own. Groups come in the order in which the confs mention them.
    """
    groups: dict[str, list[tuple[S, Conf]]] = {}
    for source, conf in confs:
        for hostname in _list(conf, "hostnames") or [""]:
            if isinstance(hostname, str):
                alone = {**conf, "hostnames": [hostname]} if hostname else conf
                groups.setdefault(hostname, []).append((source, alone))
    return [KeyedGroup(_rest(group), _rules_by_matches(group)) for group in groups.values()]


def is_joined(value: object, member: str) -> TypeGuard[list[object]]:
    """A list that is joined to the one before, instead of taking its place."""
    return member.startswith(_JOINED_PREFIX) and isinstance(value, list)


def patched(target: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """`target` with the one conf `patch` merged upon it."""
    result = dict(target)
    for member, value in patch.items():
        before = result.get(member)
        # RFC 7396, section 2: null takes the member away.
        if value is None:
            result.pop(member, None)
        elif _is_object(value):
            # A new object is patched upon nothing, which rids it of its nulls.
            result[member] = patched(before if _is_object(before) else {}, value)
        # At any depth: MeshMetric has one inside of `sidecar.profiles`.
        elif is_joined(value, member):
            result[member] = [*before, *value] if isinstance(before, list) else value
        else:
            result[member] = value
    return result


def _merged(group: KeyedGroup[S]) -> Conf:
    rest = merge_confs(conf for _, conf in group.rest)
    rules = [_rule(each) for each in group.rules]
    return {**rest, "rules": rules} if rules else rest


def _rest(group: Iterable[tuple[S, Conf]]) -> list[tuple[S, Conf]]:
    return [
        (source, {member: value for member, value in conf.items() if member != "rules"})
        for source, conf in group
    ]


def _rules_by_matches(group: Iterable[tuple[S, Conf]]) -> list[KeyedRule[S]]:
    """Rules with equal matches are one; they stand where the most important of them stood.

    Within one conf the first rule with the same matches counts most, as in the Gateway API,
    hence everything is read backwards and turned round at the end.
    """
    found: list[KeyedRule[S]] = []
    for source, rule in _ascending_rules(group):
        matches = rule.get("matches")
        # Compared as JSON values: the order of members does not matter, that of matches does.
        same = [entry for entry in found if entry.matches == matches]
        before = same[0].confs if same else []
        found = [entry for entry in found if entry.matches != matches]
        conf = rule.get("default")
        found.append(KeyedRule(matches, [*before, (source, conf if _is_object(conf) else {})]))
    return found[::-1]


def _rule(rule: KeyedRule[S]) -> Conf:
    conf = merge_confs(conf for _, conf in rule.confs)
    return {"default": conf} if rule.matches is None else {"matches": rule.matches, "default": conf}


def _ascending_rules(
    group: Iterable[tuple[S, Conf]],
) -> Iterable[tuple[S, Mapping[str, object]]]:
    for source, conf in group:
        for rule in reversed(_list(conf, "rules")):
            if _is_object(rule):
                yield source, rule


def _list(conf: Conf, member: str) -> list[object]:
    value = conf.get(member)
    return value if isinstance(value, list) else []


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    # JSON gives string keys only, so the keys need no look.
    return isinstance(value, Mapping)
