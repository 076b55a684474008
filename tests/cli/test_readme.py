"""The command lines of the README and of docs/, as they stand there: flags that exist, and a whole
ladder run by those of the README."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from functools import cache
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
pytest.importorskip("lm_eval")

import cod_harness.demo
from cod_harness.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CHECKPOINTS = Path(cod_harness.demo.__file__).parent / "checkpoints"

pytestmark = pytest.mark.skipif(not README.exists(), reason="the README is not part of the package")


def lines(page: Path) -> list[str]:
    """Command lines of ours in a page's shell blocks, in order, each on one line."""
    text = "\n".join(re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S))
    joined = text.replace("\\\n", " ").replace("&&", "\n")
    every = (shlex.join(shlex.split(line, comments=True)) for line in joined.splitlines())
    return [line for line in every if line.startswith("cod-harness ")]


PAGES = [page for page in (README, *sorted((ROOT / "docs").glob("*.md"))) if page.exists()]
EVERY = [(page.name, line) for page in PAGES for line in lines(page)]


@cache
def help_of(command: str) -> str:
    import contextlib
    import io

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([command, "--help"])
    return printed.getvalue()


def test_there_are_lines() -> None:
    assert len(lines(README)) >= 10


@pytest.mark.parametrize(("page", "line"), EVERY, ids=lambda value: value[:60])
def test_a_line_asks_for_what_there_is(page: str, line: str) -> None:
    _, command, *words = shlex.split(line)
    assert command in COMMANDS
    # What `ladder` does not know itself goes to every run.
    known = help_of(command) + (help_of("run") if command == "ladder" else "")
    for before, word in zip([command, *words], words, strict=False):
        if word.startswith("--") and before != "--sbatch":  # whose value is for sbatch
            assert re.search(rf"{word.partition('=')[0]}\b", known), f"{page}: {word}"


# What a ladder of four shipped models has other names and fewer questions for.
INSTEAD = {
    "--model hf": "--model cod-tiny",
    "--tasks gsm8k_cot": "--tasks demo_gsm8k --limit 20",
    "--cod-repeats 100": "--cod-repeats 4",
    "--jobs 2": "--jobs 1",
    "--compute 3.8e24": "--compute 3.8e13",
    "ingest old-runs": "ingest out",
}
RUNGS = {"122m": "4k", "238m": "7.6k", "411m": "14.4k", "652m": "27.4k"}


def model(name: str) -> str:
    size = ({**RUNGS, "70b": "52k"})[name]
    return (
        f"- {{name: {name}, params: {size}, tokens: 10M, model: cod-tiny, "
        f"model_args: 'pretrained=ckpt/{name}'}}"
    )


@pytest.mark.slow
def test_the_readme_from_the_first_rung_to_the_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, size in {**RUNGS, "70b": "52k"}.items():
        shutil.copytree(CHECKPOINTS / f"{size}-1", tmp_path / "ckpt" / name)
    Path("ladder.yaml").write_text(
        "\n".join(["ladder: my-family", "rungs:", *map(model, RUNGS), "targets:", model("70b"), ""])
    )
    big = (
        "cod-harness run --model cod-tiny --model_args pretrained=ckpt/70b --tasks demo_gsm8k "
        "--limit 20 --output_path out-70b"
    )
    ran = [line for line in lines(README) if not line.startswith("cod-harness demo")]
    score = next(at for at, line in enumerate(ran) if line.startswith("cod-harness score"))
    for line in [*ran[:score], big, *ran[score:]]:
        for written, here in INSTEAD.items():
            line = line.replace(written, here)
        words = [word for piece in shlex.split(line)[1:] for word in found(piece)]
        assert main(words) == 0, line
    for made in ("rates.parquet", "summary.md", "forecasts.jsonl", "charts"):
        assert Path(made).exists(), made


def found(word: str) -> list[str]:
    """Files as the shell would name them: of a date those that are there now."""
    pattern = re.sub(r"\d{4}-\d\d-\d\dT[\d-]+", "*", word)
    pattern = pattern.replace("out-70b/", "out-70b/**/")
    if "*" not in pattern:
        return [word]
    return [str(path) for path in sorted(Path().glob(pattern))][-1:]
