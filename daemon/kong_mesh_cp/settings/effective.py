"""The configuration in force as plain values: for `GET /config` and `config show`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

from kong_mesh_cp.core.admission.attestation import Rule
from kong_mesh_cp.core.formats.durations import MICROSECOND, format_duration
from kong_mesh_cp.core.formats.printable import printable
from kong_mesh_cp.core.formats.value_shapes import could_be_file, is_quoted
from kong_mesh_cp.settings.forms import Secret
from kong_mesh_cp.settings.model import Settings, rows, value_at
from kong_mesh_cp.settings.options import Row, camel_case
from kong_mesh_cp.settings.token_authentication import PublicKey

MASK = "*****"


def effective(settings: Settings, origins: Mapping[str, str] | None = None) -> dict[str, object]:
    """A tree for JSON, with secrets masked.

    With `origins` each value becomes `{"value": …, "from": "environment KUMA_MODE"}`.
    """
    tree: dict[str, object] = {}
    for row in rows():
        plain = plain_value(row, value_at(settings, row.attributes))
        leaf = plain if origins is None else {"value": plain, "from": origins[row.path]}
        _put(tree, [camel_case(name) for name in row.attributes], leaf)
    return tree


def plain_value(row: Row, value: object) -> object:
    """One value as JSON and TOML know it; a secret is masked, what is not set is None."""
    if isinstance(value, Secret):
        return MASK
    # A license, or a part of one, in a place that wants a path is not shown as if it were one.
    if row.path == "license.path" and isinstance(value, str):
        return printable(value) if could_be_file(value) and not is_quoted(value) else MASK
    if isinstance(value, Path):
        shown = printable(value)
        # Without a slash (`./a` is `a`) it would not be taken for a path when it is read again.
        return shown if "/" in shown else f"./{shown}"
    if isinstance(value, timedelta):
        return format_duration(value // timedelta(microseconds=1) * MICROSECOND)
    if isinstance(value, tuple):
        return [_plain_table(x) if isinstance(x, Rule | PublicKey) else printable(x) for x in value]
    return printable(value) if isinstance(value, str) else value


def _plain_table(entry: Rule | PublicKey) -> dict[str, object]:
    values = {camel_case(one.name): getattr(entry, one.name) for one in fields(entry)}
    return {
        name: dict(value) if isinstance(value, Mapping) else _plain_path(value)
        for name, value in values.items()
        if value not in (None, {}, "")
    }


def _plain_path(value: object) -> object:
    return os.fspath(value) if isinstance(value, Path) else value


def _put(tree: dict[str, object], keys: list[str], leaf: object) -> None:
    for key in keys[:-1]:
        below = tree.setdefault(key, {})
        if not isinstance(below, dict):
            raise TypeError(f"{key} is a value and a section")
        tree = below
    tree[keys[-1]] = leaf
