"""Which names the members of an object have, all the way down, of records and of messages alike.

Source: docs/wire/resource-api.md#unknown-members
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import Any, Final, get_args, get_origin

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.schema.messages import Message, fields_of
from kong_mesh_cp.core.schema.record_nodes import ListNode, Node, RecordNode, TextMapNode

Confs = Mapping[type[Message], Mapping[str, type[Message]]]

BY: Final = "type"  # the member that says of which type `conf` is
CONF: Final = "conf"
# Go's folding of letters maps these two to ASCII, and no other beyond A to Z.
_FOLDED: Final = str.maketrans({"\u017f": "s", "\u212a": "k"})


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An object: the names that are read of it, and what lies in its members.

    `members`: None for one that holds no objects of a shape; otherwise the object in it, or those
    in the list in it, which `is_list` says. `values`: the object is a map, and these are in it.
    `choices`: which shape it has is said by the text in `type` of the object that it lies in.
    `told`: the names to suggest; of those that are read some are older ways to write another.
    `remarks`: what to say of unknown members that are often met.
    `folds`: names are read in any case of letters, as Go's encoding/json reads them; `required` and
    `defaulted` ones are looked for by a schema first, which does not. `texts` hold maps of texts.
    `former`: by the name that a member once had, its name now and what it is if it is absent.
    """

    members: Mapping[str, Shape | None]
    values: Shape | None = None
    choices: Mapping[str, Shape] | None = None
    is_list: bool = False
    told: tuple[str, ...] = ()
    remarks: Mapping[str, str] = field(default_factory=dict)
    folds: bool = False
    required: frozenset[str] = frozenset()
    defaulted: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    former: Mapping[str, tuple[str, object]] = field(default_factory=dict)

    @cached_property
    def by_folded(self) -> Mapping[str, str]:
        """Names by what they are without case."""
        return {folded(name): name for name in self.members}

    def chosen(self, around: Mapping[str, object]) -> Shape | None:
        """This shape, or that of its choices which the object around it asks for."""
        if self.choices is None:
            return self
        by = around.get(BY)
        return self.choices.get(by) if isinstance(by, str) else None


def folded(name: str) -> str:
    """Two names are one to Go's encoding/json if this is the same for both."""
    return name.lower().translate(_FOLDED)


def is_plain(shape: Shape, value: Mapping[str, Any]) -> bool:
    """Whether all members of all objects in `value` are called as they are in `shape`.

    It is asked of every body, and most are: so there is no call for what holds no object.
    """
    find = shape.members.get
    for name, inner in value.items():
        child = find(name, _UNKNOWN)
        if child is None:
            continue
        if child is _UNKNOWN:
            if shape.values is None:
                return False
            child = shape.values
        if child.choices is not None:
            child = child.chosen(value)
            if child is None:
                continue
        form = type(inner)
        if form is dict:
            if not is_plain(child, inner):
                return False
        elif form is list:
            for each in inner:
                if type(each) is dict and not is_plain(child, each):
                    return False
    return True


def record_shape(node: RecordNode) -> Shape:
    """Of what is declared as a record."""
    members: dict[str, Shape | None] = {}
    for member in node.members:
        members[member.name] = _in_member(member.node)
    return Shape(
        members=members,
        told=tuple(members),
        folds=True,
        required=frozenset(each.name for each in node.members if each.default is None),
        defaulted=frozenset(each.name for each in node.members if each.null_is_absent),
        texts=frozenset(e.name for e in node.members if isinstance(e.node, TextMapNode)),
        former={e.former: (e.name, e.default and e.default()) for e in node.members if e.former},
    )


def _in_member(node: Node) -> Shape | None:
    if isinstance(node, ListNode):
        inner = _in_member(node.items)
        return None if inner is None else replace(inner, is_list=True)
    return record_shape(node) if isinstance(node, RecordNode) else None


def message_shape(message_type: type[Message], confs: Confs) -> Shape:
    """Of what is declared as a message; `confs`: what the `conf` of some messages may be."""
    members: dict[str, Shape | None] = {}
    told: list[str] = []
    for each in fields_of(message_type):
        members |= dict.fromkeys(each.names, _inner(each.hint, confs))
        told.append(each.name)
    chosen = confs.get(message_type)
    if chosen is not None:
        choices = {by: message_shape(inner, confs) for by, inner in chosen.items()}
        members[CONF] = Shape(members={}, choices=choices)
    return Shape(members=members, told=tuple(told))


def _inner(hint: Any, confs: Confs) -> Shape | None:
    if get_origin(hint) is Mapping:
        values = _inner(get_args(hint)[1], confs)
        return None if values is None else Shape(members={}, values=values)
    if get_origin(hint) is tuple:
        inner = _inner(get_args(hint)[0], confs)
        return None if inner is None else replace(inner, is_list=True)
    is_message = isinstance(hint, type) and issubclass(hint, Message)
    return message_shape(hint, confs) if is_message else None


_UNKNOWN: Final = Shape(members={})
