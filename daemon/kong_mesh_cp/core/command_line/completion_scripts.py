"""Scripts that let a shell complete the command lines of a program: they ask the program itself.

What is begun goes out as words behind `__complete --`; what comes back, one word a line, is what
may stand there. Where nothing comes back, files are offered.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, Final

_BASH: Final = """\
# bash completion of PROGRAM: source <(PROGRAM completion bash)
_FUNCTION() {
    local words
    mapfile -t words < <(PROGRAM __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    COMPREPLY=("${words[@]}")
}
complete -o default -F _FUNCTION PROGRAM
"""
_ZSH: Final = """\
#compdef PROGRAM
# zsh completion of PROGRAM: source <(PROGRAM completion zsh), or a file _PROGRAM in $fpath
_FUNCTION() {
    local -a found
    found=(${(f)"$(PROGRAM __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#found} )); then compadd -a found; else _files; fi
}
if [ "$funcstack[1]" = "_PROGRAM" ]; then _FUNCTION "$@"; else compdef _FUNCTION PROGRAM; fi
"""
_FISH: Final = """\
# fish completion of PROGRAM: PROGRAM completion fish | source
function __FUNCTION_words
    set -l words (commandline -opc)[2..-1] (commandline -ct)
    PROGRAM __complete -- $words 2>/dev/null
end
complete -c PROGRAM -a '(__FUNCTION_words)'
"""
SHELLS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str, program: str) -> str:
    """The script of `program` for one of SHELLS."""
    function = program.replace("-", "_")
    return SHELLS[shell].replace("PROGRAM", program).replace("FUNCTION", function)


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    program: str,
    run: Callable[..., Any],
) -> None:
    """`completion bash` and its like: `run` gets arguments whose `script` is what to print."""
    summary = "print a script for your shell"
    parser = commands.add_parser("completion", help=summary, description=summary)
    shells = parser.add_subparsers(title="shells", metavar="SHELL", required=True)
    for shell in SHELLS:
        one = shells.add_parser(shell, help=f"for {shell}", allow_abbrev=False)
        one.set_defaults(run=run, script=script(shell, program))
