"""The parser of the command line: its refusals name the flag or the word, and what was meant.

Where the original has a text for a refusal, scripts match on it, so it is kept:
`required flag(s) "name" not set`, `unknown command "meshs" for "kumactl"`, `unknown flag: --nme`,
`invalid argument "30d" for "--valid-for" flag: …`, `accepts 2 arg(s), received 1`.

Source: docs/wire/clients.md#refusals-of-a-command-line
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from kong_mesh_cp.core.command_line.command_words import subcommands
from kong_mesh_cp.core.formats.near_words import did_you_mean
from kumactl.console import printable
from kumactl.errors import EXIT_USAGE

COMMAND: Final = "COMMAND"  # the metavar of a command that stands behind another
REFUSED: Final = "refused"  # the default of a command that is known, and refused as a whole
_TRUE: Final = ("true", "t", "1")
_FALSE: Final = ("false", "f", "0")
_MISSING: Final = "the following arguments are required: "  # argparse's, before a list of names


class Parser(argparse.ArgumentParser):
    """One command, or a group of them. Ends the process with status 2 on a wrong command line."""

    @staticmethod
    def elsewhere(word: str) -> str:
        """What to add to the refusal of `word`, which is near no command: `; did you mean …?`."""
        del word
        return ""

    def error(self, message: str) -> NoReturn:
        names = message.removeprefix(_MISSING).split(", ") if message.startswith(_MISSING) else []
        if any(not name.startswith("-") for name in names):
            self.print_help(sys.stderr)
        else:
            self.print_usage(sys.stderr)
        self.exit(EXIT_USAGE, f"Error: {printable(self._missing(names) if names else message)}\n")

    def _missing(self, names: Sequence[str]) -> str:
        if COMMAND in names:
            return f"a command is missing: {self.prog} {COMMAND}"
        flags = sorted(name.rpartition("--")[2] for name in names if name.startswith("-"))
        if flags:
            quoted = ", ".join(f'"{name}"' for name in flags)
            return f"required flag(s) {quoted} not set"
        wanted = [each for each in self._actions if not each.option_strings and each.required]
        received = len(wanted) - len(names)
        return f"accepts {len(wanted)} arg(s), received {received}: {' and '.join(names)} missing"

    def parse_known_args(  # type: ignore[override]  # (typeshed has overloads for other namespaces)
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Everything, or nothing: the innermost command says what it does not know."""
        if self.get_default(REFUSED) is not None:  # whatever its flags are
            return super().parse_known_args([], namespace)
        given = self._with_switches(sys.argv[1:] if args is None else list(args))
        self._refuse_unknown_flags(given)
        found, unknown = super().parse_known_args(given, namespace)
        if unknown:
            self.error(self._unknown(unknown[0]))
        return found, unknown

    def _with_switches(self, given: Sequence[str]) -> list[str]:
        """`--flag=true` and `--flag=false`, which the original takes, for flags without a value."""
        found: list[str] = []
        within = bool(subcommands(self))
        for at, word in enumerate(given):
            if word == "--" or (within and not word.startswith("-")):
                return [*found, *given[at:]]
            flag, equals, value = word.partition("=")
            action = self._option_string_actions.get(flag) if equals else None
            if not isinstance(action, argparse._StoreTrueAction):  # noqa: SLF001
                found.append(word)
            elif value.lower() in _TRUE:
                found.append(flag)
            elif value.lower() not in _FALSE:
                self.error(f'invalid argument "{value}" for "{flag}" flag: true or false')
        return found

    def _refuse_unknown_flags(self, given: Sequence[str]) -> None:
        """Before what is missing: what was mistyped is what is missing then."""
        within = bool(subcommands(self))
        for word in given:
            if word == "--" or (within and not word.startswith("-")):
                return
            flag = word.partition("=")[0]
            if (
                flag.startswith("--")
                and " " not in word
                and flag not in self._option_string_actions
            ):
                self.error(self._unknown(word))

    def _unknown(self, word: str) -> str:
        if not word.startswith("-"):
            return f'unexpected argument "{word}" for "{self.prog}"'
        flag = word.partition("=")[0]  # a value may be a token
        known = [each for action in self._actions for each in action.option_strings]
        if not flag.startswith("--"):
            return f"unknown shorthand flag: '{flag[1:2]}' in {flag}"
        return f"unknown flag: {flag}{did_you_mean(flag, known)}"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        choices = None if action.choices is None else [str(each) for each in action.choices]
        if choices is None or str(value) in choices:
            return
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 (argparse shows it to nobody)
            hint = did_you_mean(str(value), choices) or self.elsewhere(str(value))
            self.error(f'unknown command "{value}" for "{self.prog}"{hint}')
        raise argparse.ArgumentError(None, f"{_of(action, value)}: {_one_of(value, choices)}")

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        read: Callable[[str], Any] = action.type if callable(action.type) else str
        try:
            return read(arg_string)
        except argparse.ArgumentTypeError as error:
            shown = None if getattr(read, "may_be_secret", False) else arg_string
            reason = str(error)
        except (TypeError, ValueError):
            shown, reason = arg_string, _reason(action, arg_string)
        raise argparse.ArgumentError(None, f"{_of(action, shown)}: {reason}")


def _of(action: argparse.Action, value: object | None) -> str:
    shown = "" if value is None else f' "{value}"'
    if not action.option_strings:
        return f"invalid {action.metavar or action.dest}{shown}"
    return f'invalid argument{shown} for "{action.option_strings[-1]}" flag'


def _reason(action: argparse.Action, value: str) -> str:
    if action.choices is not None:
        return _one_of(value, [str(each) for each in action.choices])
    return "not a number" if action.type is int else "not of its form"


def _one_of(value: object, choices: Sequence[str]) -> str:
    shown = [each for each in choices if each]
    return f"one of {', '.join(shown)}{did_you_mean(str(value), shown)}"
