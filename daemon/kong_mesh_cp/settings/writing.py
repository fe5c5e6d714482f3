"""Writes configuration files: the commented sample, the configuration in force, a conversion.

No start imports this: it writes no TOML.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping

import tomli_w

from kong_mesh_cp.settings.effective import MASK, effective, plain_value
from kong_mesh_cp.settings.forms import Secret
from kong_mesh_cp.settings.gathering import Reading
from kong_mesh_cp.settings.model import Settings, rows, value_at
from kong_mesh_cp.settings.options import Row

COMMENT_COLUMNS_MAX = 96

RULE_SAMPLE = """\
#[[admission.rules]]
#unit = "kuma-dp@*.service"
#mesh = "default"
#name = "{instance}"
#tags = { team = "payments" }
"""


def sample() -> str:
    """Every setting with its sentence and its default, commented out: a start changes nothing."""
    parts = [
        _comment(
            "Configuration of kong-mesh-cp. Everything is commented out and shows the default: "
            "remove the # in front of what you want to change, then run kong-mesh-cp config check. "
            "Environment variables win over this file. See kong-mesh-cp.toml(5)."
        )
    ]
    for table, members in _tables():
        lines = [f"\n[{table}]\n" if table else "\n"]
        for row in members:
            lines.append(_comment(row.option.doc + _default_text(row) + _variable(row)))
            lines.append(RULE_SAMPLE if row.path == "admission.rules" else _sample_line(row))
        parts.append("".join(lines))
    return "".join(parts)


def in_force(settings: Settings, origins: Mapping[str, str]) -> str:
    """TOML with every value and, behind it, where it came from. Secrets are left out."""
    parts = []
    for table, members in _tables():
        lines = [f"[{table}]\n" if table else ""]
        for row in members:
            value = value_at(settings, row.attributes)
            plain = plain_value(row, value)
            if plain is None:
                lines.append(f"# {_key(row)} is not set\n")
            elif plain == MASK:
                lines.append(f"# {_key(row)} is set and not shown  # {origins[row.path]}\n")
            else:
                lines.append(f"{_assignment(row, plain)}  # {origins[row.path]}\n")
        parts.append("".join(lines))
    return "\n".join(parts)


def converted(values: Mapping[str, Reading]) -> str:
    """TOML of what a file set and nothing else. Holds the license if the file held it."""
    parts = []
    for table, members in _tables():
        lines = [f"[{table}]\n" if table else ""]
        for row in members:
            if row.path in values:
                value = values[row.path].value
                plain = value.reveal() if isinstance(value, Secret) else _unmasked(row, value)
                lines.append(f"{_assignment(row, plain)}\n")
        if len(lines) > 1:
            parts.append("".join(lines))
    return "\n".join(parts)


def effective_json(settings: Settings, origins: Mapping[str, str] | None) -> str:
    return json.dumps(effective(settings, origins), indent=1, ensure_ascii=False) + "\n"


def _unmasked(row: Row, value: object) -> object:
    return value if isinstance(value, str) else plain_value(row, value)


def _tables() -> Iterator[tuple[str, list[Row]]]:
    """The rows by TOML table; those of the top level first, because TOML wants them there."""
    tables: dict[str, list[Row]] = {}
    for row in sorted(rows(), key=lambda row: len(row.attributes) > 1):
        tables.setdefault(row.path.rpartition(".")[0], []).append(row)
    yield from tables.items()


def _key(row: Row) -> str:
    return row.path.rpartition(".")[2]


def _assignment(row: Row, plain: object) -> str:
    return f"{_key(row)} = {_inline(plain)}"


def _inline(value: object) -> str:
    """A value on one line; tomli_w alone would start tables of its own."""
    match value:
        case list():
            return f"[{', '.join(_inline(item) for item in value)}]"
        case dict():
            pairs = (f"{_quoted_key(str(k))} = {_inline(v)}" for k, v in value.items())
            return f"{{ {', '.join(pairs)} }}"
        case _:
            return tomli_w.dumps({"x": value}).rstrip("\n").removeprefix("x = ")


def _quoted_key(key: str) -> str:
    return tomli_w.dumps({key: 0}).rstrip("\n").removesuffix(" = 0")


def _sample_line(row: Row) -> str:
    default = plain_value(row, row.default)
    if default is None:
        return f'#{_key(row)} = ""\n'
    line = f"#{_assignment(row, default)}"
    if isinstance(default, list) and len(line) > COMMENT_COLUMNS_MAX:
        members = "".join(f"#{_inline(each)},\n" for each in default)
        return f"#{_key(row)} = [\n{members}#]\n"
    return f"{line}\n"


def _default_text(row: Row) -> str:
    return f" Default: {row.option.default_text}." if row.option.default_text else ""


def _variable(row: Row) -> str:
    return f" Variable: {row.option.environment}." if row.option.environment else ""


def _comment(text: str) -> str:
    return (
        textwrap.fill(text, COMMENT_COLUMNS_MAX, initial_indent="# ", subsequent_indent="# ") + "\n"
    )
