"""The parts of the documentation that are made from the rows of the settings."""

from __future__ import annotations

from kong_mesh_cp.settings.effective import plain_value
from kong_mesh_cp.settings.model import rows
from kong_mesh_cp.settings.options import Row


def markdown_table() -> str:
    """For docs/configuration.md."""
    lines = ["| setting | variable | default | meaning |", "| --- | --- | --- | --- |"]
    for row in rows():
        variable = f"`{row.option.environment}`" if row.option.environment else "only in a file"
        flag = f", `{row.option.flag}`" if row.option.flag else ""
        default = row.option.default_text or f"`{_default(row)}`"
        lines.append(f"| `{row.path}` | {variable}{flag} | {default} | {row.option.doc} |")
    return "\n".join(lines) + "\n"


def manual_list() -> str:
    """For packaging/man/kong-mesh-cp.toml.5: one tagged paragraph for each row, by table."""
    lines: list[str] = []
    table = None
    for row in sorted(rows(), key=lambda row: len(row.attributes) > 1):
        name = row.path.rpartition(".")[0]
        if name != table:
            lines.append(f".SS {_roff(f'[{name}]') if name else 'Top level'}")
            table = name
        lines += [".TP", f".B {_roff(row.path.rpartition('.')[2])}", *_sentences(row.option.doc)]
        default = row.option.default_text or _default(row)
        lines += [".br", f"Default: {_roff(default)}."]
        names = [name for name in (row.option.environment, row.option.flag) if name]
        if names:
            lines.append(f"Also: {_roff(', '.join(names))}.")
    return "\n".join(lines) + "\n"


def _default(row: Row) -> str:
    plain = plain_value(row, row.default)
    return str(plain).lower() if isinstance(plain, bool) else str(plain)


def _sentences(doc: str) -> list[str]:
    # Each on a line of its own, as roff wants it: that is how it knows where sentences end.
    return [_roff(sentence) for sentence in doc.replace(". ", ".\n").split("\n")]


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith((".", "\\(aq")) else escaped
