"""`cod-harness completion`: commands and file names completed by the shell."""

from __future__ import annotations

from collections.abc import Sequence

from cod_harness.arguments import ArgumentParser
from cod_harness.cli import COMMANDS

_ABOUT = """\
Print what completes commands in a shell. bash: `source <(cod-harness completion bash)`, zsh the
same with zsh; in ~/.bashrc or ~/.zshrc it stays."""


def main(words: Sequence[str]) -> int:
    """Print the script for a shell. Returns the exit status."""
    parser = ArgumentParser(prog="cod-harness completion", allow_abbrev=False, description=_ABOUT)
    parser.add_argument("shell", choices=("bash", "zsh"))
    asked = parser.parse_args(words)
    if asked.shell == "zsh":
        print("autoload -U +X bashcompinit && bashcompinit")
    # Commands first; everything after them is mostly files, which the shell knows.
    print(f"complete -o default -W '{' '.join(COMMANDS)}' cod-harness")
    return 0
