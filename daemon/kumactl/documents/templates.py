"""`{{ name }}` in documents, filled in from `--var name=value`.

Without any `--var` a document is taken as it stands. With one, every plain name must have a
value; what is no plain name (`{{ .DisplayName }}`, as a HostnameGenerator has it) is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from kumactl.errors import UsageError

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*(?:[.-][A-Za-z0-9_]+)*"
_VARIABLE: Final = re.compile(rf"\{{\{{\{{\s*({_NAME})\s*\}}\}}\}}|\{{\{{&?\s*({_NAME})\s*\}}\}}")


def fill(text: str, variables: Mapping[str, str], source: str) -> str:
    """`text` with its variables filled in, values verbatim. Raises: UsageError for unknown ones."""
    if not variables:
        return text
    unknown: dict[str, None] = {}

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in variables:
            unknown[name] = None
        return variables.get(name, "")

    filled = _VARIABLE.sub(value, text)
    if unknown:
        missing = " ".join(f"--var {name}=…" for name in unknown)
        raise UsageError(f"{source} has variables without a value: {missing}")
    return filled
