"""The help texts, all of them: docs/commands.md holds them word by word."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cod_harness.arguments import ArgumentParser
from cod_harness.cli import COMMANDS, main
from cod_harness.cli.setup.completion import parser_of, script

DOCS = Path(__file__).parents[2] / "docs"

pytest.importorskip("lm_eval")


@pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation is not part of the package")
@pytest.mark.skipif(
    not (3, 11) <= sys.version_info < (3, 13), reason="argparse lays its help out otherwise"
)
def test_the_page_of_commands_is_what_the_commands_say() -> None:
    spec = importlib.util.spec_from_file_location("make_commands", DOCS / "make_commands.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert written == module.page(), "run `python docs/make_commands.py`"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_groups_and_ends_with_examples_that_parse(command: str) -> None:
    parser = parser_of(command)
    assert isinstance(parser, ArgumentParser)
    text = parser.format_help()
    examples = "\n".join(parser.examples).replace("\\\n", " ").splitlines()
    assert len(examples) >= 2 and text.rstrip().endswith(parser.examples[-1])
    assert max(map(len, text.splitlines())) < 100
    for example in examples:
        for line in example.removeprefix("source <(").removesuffix(")").split(" && "):
            words = shlex.split(line)
            if words[0] == "cod-harness":
                own = parser_of(words[1])
                known, rest = own.parse_known_args(words[2:])
                assert known is not None
                assert not rest or words[1] in ("run", "ladder")  # the harness's
    # All flags but --help are in a group with a title, where there are more than a handful.
    loose = [one for one in parser._optionals._group_actions if "--help" not in one.option_strings]
    assert len(loose) <= 2, [one.option_strings for one in loose]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["forcast"], "did you mean 'forecast'?"),
        (["forecast", "x", "--ladder", "y", "--taget", "z"], "did you mean '--target'?"),
        (["forecast", "x", "--lader", "y"], "did you mean '--ladder'?"),
        (["ingest", "x", "--ladder", "y", "--rungs=a"], "did you mean '--rung'?"),
        (["run", "--cod", "y", "--cod-repeat", "3"], "did you mean '--cod-repeats'?"),
        (["plan", "LADDER", "--tasks", "cod_gsm8kk"], "did you mean 'cod_gsm8k'?"),
        (["run", "--cod", "LADDER", "--cod-rung", "260K", "--output_path", "o"], "'260k'?"),
        (["ladder", "LADDER", "--tasks", "t", "--output_path", "o", "--executor", "slrm"],
         "did you mean 'slurm'?"),
    ],
)  # fmt: skip
def test_what_is_unknown_gets_a_suggestion(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from cod_harness.cli.demo import LADDER

    monkeypatch.chdir(tmp_path)
    assert main([str(LADDER) if word == "LADDER" else word for word in words]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fo"], ["forecast"]),
        (["forecast", "out", "--me"], ["--metric", "--method"]),
        (["forecast", "out", "--method", "cod,bns"], ["cod,bnsl"]),
        (["plan", "l.yaml", "--tasks", "cod_gs"], ["cod_gsm8k"]),
        (["ladder", "l.yaml", "--cod-rep"], ["--cod-repeats"]),
        (["forecast", "out", "--ladder", "l.yaml", "--target", "bi"], ["big"]),
        (["forecast", "out"], []),
    ],
)
def test_the_shell_completes(words: list[str], said: list[str], tmp_path: Path) -> None:
    # A stand-in for the command, which the script asks for the ladder's models.
    stand_in = 'cod-harness() { [ "$*" = "completion models l.yaml" ] && echo small big; }'
    line = " ".join(shlex.quote(word) for word in ["cod-harness", *words])
    code = (
        f"{script()}\n{stand_in}\nCOMP_WORDS=({line}); COMP_CWORD={len(words)}\n"
        '_cod_harness; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == said
