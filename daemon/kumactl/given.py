"""Values of `NAME=VALUE` options: as they stand, or out of a file or standard input.

The arguments of a process are read by every user of its machine, so a secret is better given as
`NAME=@FILE`, or `NAME=@-` for standard input. `@@` at the beginning is an `@` that is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from kumactl import key_files
from kumactl.console import Console
from kumactl.errors import UsageError

_STDIN: Final = "-"
# Names of what is secret; `key` and what ends in it, but not `keyword` or `monkeys`.
_SECRET_NAME: Final = re.compile(
    r"authorization|cookie|credential|passw|private|secret|token|api-?key|(?:^|[._-])key$",
    re.IGNORECASE,
)
# The beginnings of PEM, of PEM in Base64, and of a token that is a JWT.
_SECRET_VALUES: Final = ("-----BEGIN ", "LS0tLS1CRUdJTi", "eyJ")

Pairs = Iterable[tuple[str, str]]


class StandardInput:
    """It can be read once: by `-f -`, by one `@-`, or by a path that is `-`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._reader = ""

    def take(self, option: str) -> BinaryIO:
        """The stream, for `option`. Raises: UsageError for the second one that wants it."""
        if self._reader:
            raise UsageError(f"{self._reader} and {option} cannot both read standard input")
        self._reader = option
        return self._stream


def values(option: str, pairs: Pairs, console: Console, stdin: StandardInput) -> dict[str, str]:
    """What `pairs`, given with `option`, come to; warns of a secret among the arguments.

    Raises: UsageError. It never shows a value.
    """
    found: dict[str, str] = {}
    for name, text in pairs:
        if text.startswith("@@"):
            found[name] = text[1:]
        elif text.startswith("@"):
            found[name] = _read(text[1:], f"{option} {name}", stdin)
        else:
            if _is_secret(name, text):
                console.note(
                    f"WARNING: every user of this machine can read the value of {option} {name} in"
                    f" the list of processes. Give it as {name}=@FILE, or {name}=@- for standard"
                    " input"
                )
            found[name] = text
    return found


def _is_secret(name: str, value: str) -> bool:
    found = _SECRET_NAME.search(name) is not None or value.startswith(_SECRET_VALUES)
    return bool(value) and found


def _read(file: str, option: str, stdin: StandardInput) -> str:
    if not file:
        raise UsageError(f"{option}: behind @ there has to be a file, or - for standard input")
    if file == _STDIN:
        content = key_files.read_stream(stdin.take(option), "standard input")
    else:
        content = key_files.read(Path(file))
    try:
        text = content.decode()
    except UnicodeDecodeError:
        shown = "standard input" if file == _STDIN else repr(file)
        raise UsageError(f"{option}: {shown} is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")
