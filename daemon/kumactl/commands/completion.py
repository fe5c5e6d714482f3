"""`kumactl completion`: scripts for shells, and the words they ask for while one types."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Final

from kumactl.command_line import subcommands
from kumactl.commands import flags
from kumactl.documents import resource_names
from kumactl.session import Session

_BASH: Final = """\
# bash completion of kumactl: source <(kumactl completion bash)
_kumactl() {
    local words
    mapfile -t words < <(kumactl __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    COMPREPLY=("${words[@]}")
}
complete -o default -F _kumactl kumactl
"""
_ZSH: Final = """\
#compdef kumactl
# zsh completion of kumactl: source <(kumactl completion zsh), or a file _kumactl in $fpath
_kumactl() {
    local -a found
    found=(${(f)"$(kumactl __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#found} )); then compadd -a found; else _files; fi
}
if [ "$funcstack[1]" = "_kumactl" ]; then _kumactl "$@"; else compdef _kumactl kumactl; fi
"""
_FISH: Final = """\
# fish completion of kumactl: kumactl completion fish | source
function __kumactl_words
    set -l words (commandline -opc)[2..-1] (commandline -ct)
    kumactl __complete -- $words 2>/dev/null
end
complete -c kumactl -a '(__kumactl_words)'
"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
ASK: Final = "__complete"  # not shown in help; only the scripts say it
_TYPED_COMMANDS: Final = ("get", "delete")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    completion = flags.group(commands, "completion", "print a script for your shell")
    for shell, script in _SCRIPTS.items():
        flags.command(completion, shell, _printing(script), f"for {shell}")


def _printing(script: str) -> flags.Run:
    def run(session: Session) -> None:
        session.console.document(script)

    return run


def candidates(root: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    """What may stand in place of the last of `words`, which has been begun; sorted."""
    if not words:
        return []
    *complete, begun = words
    parser, path, positionals, pending = root, [], 0, None
    for word in complete:
        if pending is not None:
            pending = None
        elif word.startswith("-"):
            pending = _takes_value(parser, word)
        elif (inner := subcommands(parser).get(word)) is not None:
            parser, positionals = inner, 0
            path.append(word)
        else:
            positionals += 1
    if pending is not None:
        found: Iterable[str] = [str(choice) for choice in pending.choices or ()]
    elif begun.startswith("-"):
        found = (flag for action in parser._actions for flag in action.option_strings)  # noqa: SLF001
    elif subcommands(parser):
        found = subcommands(parser)
    elif path[:1] and path[0] in _TYPED_COMMANDS and positionals == 0:
        found = resource_names.by_word()
    else:
        found = ()
    return sorted(word for word in found if word.startswith(begun))


def _takes_value(parser: argparse.ArgumentParser, flag: str) -> argparse.Action | None:
    if "=" in flag:
        return None
    for action in parser._actions:  # noqa: SLF001 (argparse shows its tree to nobody)
        if flag in action.option_strings and action.nargs != 0:
            return action
    return None
