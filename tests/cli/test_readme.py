"""The command lines of the README and of docs/, as they stand there: flags that exist, extras that
there are, and a whole ladder run by the README's lines and read by the Python of docs/python.md."""

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
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.task_folder import task_folder

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CHECKPOINTS = Path(cod_harness.demo.__file__).parent / "checkpoints"
DEMO_TASKS = task_folder() / "demo"

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


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def test_what_is_installed_can_be() -> None:
    tomllib = pytest.importorskip("tomllib")
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    asked = re.findall(r"(?:cod-harness|-e \"\.)\[([\w,]+)\]", text)
    extras = {extra for some in asked for extra in some.split(",")}
    assert {"hf", "math", "test"} <= extras <= set(about["optional-dependencies"])
    (floor,) = [
        found[1] for one in about["dependencies"] if (found := re.match(r"lm-eval>=([\d.]+)", one))
    ]
    readme = README.read_text("utf-8")
    assert f"lm-eval {floor} or\nnewer" in readme
    assert f"Python {about['requires-python'].removeprefix('>=')} or newer" in readme


def test_the_ladder_file_is_one(tmp_path: Path) -> None:
    (text,) = blocks(README, "yaml")
    (tmp_path / "ladder.yaml").write_text(text)
    ladder = read_ladder(tmp_path / "ladder.yaml")
    assert [model.name for model in ladder.models] == ["122m", "238m", "other-72b", "70b"]
    assert ladder.find("122m").compute == 1.535e9 * 26e9


# What a ladder of small shipped models has other names and fewer questions for; reading all tasks
# of the harness would take ten seconds in each of its runs.
INSTEAD = {
    "--model hf": "--model cod-tiny",
    "--tasks gsm8k_cot": f"--tasks demo_gsm8k --limit 16 --include_path {DEMO_TASKS} "
    "--cod-include-only",
    "--cod-repeats 100": "--cod-repeats 4",
    "--jobs 2": "--jobs 1",
    "--compute 3.8e24": "--compute 3.8e14",
    "out-70b/results": "out-70b/*/results",
}
SIZES = {
    "122m": "6.3k", "238m": "10.6k", "411m": "18k", "652m": "30.7k", "973m": "52.4k", "70b": "89.4k"
}  # fmt: skip


def entry(name: str) -> str:
    return (
        f"- {{name: {name}, params: {SIZES[name]}, tokens: 10M, model: cod-tiny, "
        f"model_args: 'pretrained=ckpt/{name}'}}"
    )


def typed(line: str) -> list[str]:
    """The words of a command line as the shell would hand them on, files of a date those of now."""
    for written, here in INSTEAD.items():
        line = line.replace(written, here)
    words = []
    for word in shlex.split(line)[1:]:
        pattern = re.sub(r"\d{4}-\d\d-\d\dT[\d-]+", "*", word)
        words += sorted(map(str, Path().glob(pattern)))[-1:] if "*" in pattern else [word]
    return words


def by_the_harness_alone(checkpoint: str, out: Path) -> None:
    """Leaves the results file of a run that nothing of ours takes part in but model and task."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    results = simple_evaluate(
        model="cod-tiny",
        model_args=f"pretrained={checkpoint}",
        tasks=["demo_gsm8k"],
        limit=16,
        task_manager=TaskManager(include_path=str(DEMO_TASKS), include_defaults=False),
        evaluation_tracker=(tracker := EvaluationTracker(output_path=str(out))),
    )
    results.pop("samples")
    tracker.save_results_aggregated(results=results)


@pytest.mark.slow
@pytest.mark.usefixtures("light")
def test_the_readme_from_the_first_rung_to_the_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, size in SIZES.items():
        shutil.copytree(CHECKPOINTS / f"{size}-1", Path("ckpt") / name)
    *rungs, target = map(entry, SIZES)
    Path("ladder.yaml").write_text(
        "\n".join(["ladder: my-family", "rungs:", *rungs, "targets:", target, ""])
    )
    ran = [line for line in lines(README) if not line.startswith("cod-harness demo")]
    assert [shlex.split(line)[1] for line in ran[:2]] == ["run", "ladder"]
    for line in ran[:2]:
        assert main(typed(line)) == 0, line
    # Its target is evaluated too, since the file says how to run it.
    shutil.copytree("out", "old-runs")
    for path in Path("out").glob("*/results_*.json"):
        place = Path("results") / path.relative_to("out")
        place.parent.mkdir(parents=True)
        shutil.copy(path, place)
    for line in ran[2:-1]:
        assert main(typed(line)) == 0, line
    by_the_harness_alone("ckpt/70b", Path("out-70b"))
    assert main(typed(ran[-1])) == 0, ran[-1]
    for made in ("rates.parquet", "summary.md", "forecasts.jsonl", "charts"):
        assert Path(made).exists(), made

    first, second = blocks(ROOT / "docs" / "python.md", "python")
    names: dict[str, object] = {}
    exec(first, names)
    made_there = names["made"]
    assert isinstance(made_there, cod_harness.LadderForecast)
    assert [one.target for one in made_there] == ["70b"]
    ladder, rates = names["ladder"], names["rates"]
    assert isinstance(ladder, cod_harness.Ladder) and isinstance(rates, cod_harness.PassRates)
    matrix = rates.matrix("demo_gsm8k", [rung.name for rung in ladder.rungs])
    names |= {"rates": matrix.rates, "compute": [rung.compute for rung in ladder.rungs]}
    capsys.readouterr()
    exec(second, names)
    assert capsys.readouterr().out.split()[3] in ("ok", "weak", "abstain")
