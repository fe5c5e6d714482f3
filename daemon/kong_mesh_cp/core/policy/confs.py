"""Merged confs with their types: what the rules of a proxy say, as its policies' schemas read it.

Confs are merged as JSON, because a merge patch (RFC 7396) tells a member that is absent from one
that is there, and a dataclass does not. What comes out is a conf of the same schema again: patches
only add members and replace values, and the lists that merging joins have no length to keep to.
"""

from __future__ import annotations

from typing import TypeVar

from kong_mesh_cp.core.policy.kinds.policy_catalogue import POLICY_KINDS
from kong_mesh_cp.core.policy.rules import policy
from kong_mesh_cp.core.schema import records
from kong_mesh_cp.core.schema.record_faults import EnoughFaultsError, Faults
from kong_mesh_cp.core.schema.violations import FieldPath

C = TypeVar("C")

_CONF = FieldPath("conf")


class UnreadableConfError(Exception):
    """A conf that no schema has checked; the text says what is wrong with it."""


def read_conf(conf_type: type[C], conf: policy.Conf) -> C:
    """`conf`, merged from policies whose kind has confs of `conf_type`; `render_conf` undoes it.

    Raises: UnreadableConfError, for what has not been through the kind: a row of the store that
    this program has not written.
    """
    faults = Faults()
    try:
        read = records.read(conf_type, dict(conf), _CONF, faults)
    except EnoughFaultsError:
        raise _unreadable(faults) from None
    if faults.violations or faults.undecodable:
        raise _unreadable(faults)
    return read


def conf_of(policy_type: str, conf: policy.Conf) -> object:
    """As `read_conf`, where only the name of the type is known."""
    return read_conf(POLICY_KINDS[policy_type].conf_type, conf)


def render_conf(conf: object) -> policy.Conf:
    """The JSON of a conf, as answers show it."""
    return records.render(conf)


def _unreadable(faults: Faults) -> UnreadableConfError:
    found = [each.message for each in faults.violations]
    return UnreadableConfError("; ".join(found or [faults.undecodable]))
