"""`cod-harness completion`: commands, flags and names completed by the shell."""

from __future__ import annotations

import argparse
import importlib
import shlex
from collections.abc import Sequence

from cod_harness.arguments import ArgumentParser, flags_of
from cod_harness.cli import COMMANDS, module_of

_ABOUT = """\
Print what completes commands, flags, methods, tasks and a ladder's models in a shell; in ~/.bashrc
or ~/.zshrc it stays."""

# One function for bash and, through bashcompinit, for zsh. Models stand in the ladder file that the
# line names; what nothing is known of is a file, which the shell completes itself.
_SCRIPT = """\
_cod_harness() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} known='' part ladder
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    known={commands}
  else
    case "$before" in
      --method|--base) known={methods};;
      --tasks|-t) known={tasks};;
      --target|--cod-rung|--rung)
        for part in "${{COMP_WORDS[@]}}"; do
          case "$part" in *.yaml|*.yml) ladder=$part;; esac
        done
        [ -n "$ladder" ] && known=$(cod-harness completion models "$ladder" 2>/dev/null);;
      *) case "$word" in -*) case "${{COMP_WORDS[1]}}" in
{flags}
      esac;; esac;;
    esac
  fi
  # After a comma the next name of a list.
  part=${{word##*,}}
  local start=${{word%"$part"}}
  [ -n "$known" ] && COMPREPLY=($(compgen -P "$start" -W "$known" -- "$part"))
}}
complete -o default -F _cod_harness cod-harness"""


def parser() -> ArgumentParser:
    """The parser of `cod-harness completion`."""
    made = ArgumentParser(
        prog="cod-harness completion",
        examples=(
            "source <(cod-harness completion bash)",
            "source <(cod-harness completion zsh)",
        ),
        allow_abbrev=False,
        description=_ABOUT,
    )
    made.add_argument("shell", choices=("bash", "zsh", "models"), help="models: names, for those")
    made.add_argument("ladder", nargs="?", metavar="LADDER.yaml", help="whose models are named")
    return made


def main(words: Sequence[str]) -> int:
    """Print the script for a shell. Returns the exit status."""
    asked = parser().parse_args(words)
    if asked.shell == "models":
        print("\n".join(_models(asked.ladder)) if asked.ladder else "")
        return 0
    if asked.shell == "zsh":
        print("autoload -U +X bashcompinit && bashcompinit")
    print(script())
    return 0


def script() -> str:
    """What bash has to read."""
    from cod_harness.cli.tasks import costs
    from cod_harness.engine import METHODS

    def said(names: Sequence[str]) -> str:
        return shlex.quote(" ".join(names))

    flags = {name: flags_of(parser_of(name)) for name in COMMANDS}
    flags["ladder"] += flags["run"]  # they go to every run
    lines = [f"        {name}) known={said(known)};;" for name, known in flags.items()]
    return _SCRIPT.format(
        commands=said(COMMANDS),
        methods=said(list(METHODS)),
        tasks=said([*costs(), "cod_suite"]),
        flags="\n".join(lines),
    )


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command of ours; of `run` that of our own flags."""
    if command == "run":
        from cod_harness.harness.capture import flags

        return flags.parser()
    found: argparse.ArgumentParser = importlib.import_module(module_of(command)).parser()
    return found


def _models(ladder: str) -> list[str]:
    from cod_harness.ladder.read_ladder import read_ladder

    return [model.name for model in read_ladder(ladder).models]
