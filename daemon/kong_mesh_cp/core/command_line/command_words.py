"""What may be typed next on a command line, and what was meant by a word that is no command.

Both follow from the tree of an argparse parser, which shows it to nobody: hence its private names.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

from kong_mesh_cp.core.dataclass import dataclass
from kong_mesh_cp.core.formats.near_words import did_you_mean

_UNKNOWN = "unrecognized arguments: "  # argparse's, before what it does not know
ASK = "__complete"  # the first word of a shell that asks; no help shows it


class Parser(argparse.ArgumentParser):
    """One that names the nearest command or flag where it refuses a word."""

    def error(self, message: str) -> NoReturn:
        word = message.removeprefix(_UNKNOWN).split()[0] if message.startswith(_UNKNOWN) else ""
        near = did_you_mean(word.partition("=")[0], _flags(self)) if word else ""
        super().error(message + near)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            known = [str(each) for each in action.choices or ()]
            error.message += did_you_mean(str(value), known)
            raise


@dataclass(frozen=True, slots=True)
class Place:
    """Where a word has been begun, for which the parser itself knows no words."""

    path: tuple[str, ...]  # the commands before it
    positionals: tuple[str, ...]  # the other words behind those
    flag: str  # whose value it is, "" for none
    begun: str


Names = Callable[[Place], Iterable[str]]


def candidates(
    root: argparse.ArgumentParser, words: Sequence[str], names: Names = lambda _place: ()
) -> list[str]:
    """What may stand in place of the last of `words`, which has been begun; sorted.

    `names` is asked where a name belongs that is none of a command line.
    """
    if not words:
        return []
    *complete, begun = words
    parser = root
    path: list[str] = []
    positionals: list[str] = []
    pending: tuple[str, argparse.Action] | None = None
    for word in complete:
        if pending is not None:
            pending = None
        elif word.startswith("-"):
            pending = _takes_value(parser, word)
        elif (inner := subcommands(parser).get(word)) is not None:
            parser, positionals = inner, []
            path.append(word)
        else:
            positionals.append(word)
    place = Place(tuple(path), tuple(positionals), pending[0] if pending else "", begun)
    if pending is not None and pending[1].choices is not None:
        found: Iterable[str] = [str(choice) for choice in pending[1].choices]
    elif pending is None and begun.startswith("-"):
        found = (flag for action in parser._actions for flag in action.option_strings)  # noqa: SLF001
    elif pending is None and subcommands(parser):
        found = subcommands(parser)
    else:
        found = names(place)
    return sorted({word for word in found if word.startswith(begun)})


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands that stand behind `parser`, by every word for them."""
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    return {}


def _flags(parser: argparse.ArgumentParser) -> set[str]:
    """Those of `parser` and of all commands behind it."""
    own = {flag for action in parser._actions for flag in action.option_strings}  # noqa: SLF001
    return own.union(*(_flags(inner) for inner in subcommands(parser).values()))


def _takes_value(parser: argparse.ArgumentParser, flag: str) -> tuple[str, argparse.Action] | None:
    if "=" in flag:
        return None
    for action in parser._actions:  # noqa: SLF001
        if flag in action.option_strings and action.nargs != 0:
            return flag, action
    return None
