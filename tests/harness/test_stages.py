"""`--cod-repeats 5:20` through the real harness: the second stage goes on from the first."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness_runs import Runner

from cod_harness.harness.sampling.journal import JOURNAL_FOLDER
from cod_harness.ladder.store import read_store

TASK = "cod_t_two_filters"


@pytest.fixture(scope="module")
def two_rungs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("staged") / "ladder.yaml"
    path.write_text(
        "ladder: staged\nrungs:\n"
        + "".join(
            f"- {{name: f{n}, params: {n}e6, tokens: 20e6, model: cod-fake, "
            f"model_args: 'pretrained=f{n},skill={n}'}}\n"
            for n in (1, 2, 3)
        )
    )
    return path


def test_two_stages(cod_run: Runner, two_rungs: Path, tmp_path: Path) -> None:
    staged = ("--cod-repeats", "3:60", "--cod-no-forecast", "--limit", "60", "--log_samples")

    def go(rung: int, *more: str) -> str:
        ran = cod_run(
            TASK, *staged, *more, model=f"f{rung},skill={rung}", folder=tmp_path, ladder=two_rungs
        )
        assert ran.status == 0, ran.err
        return ran.err

    for rung in (1, 2, 3):
        go(rung)
    first = {s.settings["rung"]: s.path for s in stores(tmp_path)}
    assert (tmp_path / JOURNAL_FOLDER).is_dir()
    said = go(3, "--cod-further")
    assert "180 of " in said  # 60 questions of 3 samples each are not asked again
    before, _ = read_store(first["f3"])
    path = next(s.path for s in stores(tmp_path) if s.settings.get("further"))
    after, settings = read_store(path)
    both = before.merge(after, on="question", suffixes=("", "_after"))
    assert set(before["n_samples"]) == {3}
    assert set(after["n_samples"]) == {3, 60}
    few = both[both["n_samples_after"] == 3]
    assert (few["n_correct"] == few["n_correct_after"]).all()
    many = both[both["n_samples_after"] == 60]
    assert (many["n_correct_after"] >= many["n_correct"]).all()
    about = settings["tasks"][TASK]
    assert about["samples"] == after["n_samples"].sum()
    assert about["same_answer"] == 60
    assert about["first_repeat_score"] == pytest.approx(about["harness_score"])
    assert len(list((tmp_path / JOURNAL_FOLDER).iterdir())) == 2


def stores(folder: Path) -> list:  # type: ignore[type-arg]
    from cod_harness.ladder.store import stores_in

    return stores_in(folder, "staged")[0]


def test_the_other_rungs_come_first(cod_run: Runner, two_rungs: Path, tmp_path: Path) -> None:
    more = ("--cod-repeats", "3:60", "--cod-further", "--limit", "9")
    ran = cod_run(TASK, *more, model="f3,skill=3", folder=tmp_path, ladder=two_rungs)
    assert ran.status == 2
    assert "first stage" in ran.err


def test_tasks_that_are_left_out_get_no_more(
    cod_run: Runner, two_rungs: Path, tmp_path: Path
) -> None:
    staged = ("--cod-repeats", "3:60", "--cod-no-forecast", "--limit", "9")
    for rung in (1, 2, 3):
        cod_run(TASK, *staged, model=f"f{rung},skill={rung}", folder=tmp_path, ladder=two_rungs)
    for named, sizes in (("another", {3}), (f"another,{TASK}", {3, 60})):
        further = (*staged, f"--cod-further={named}")
        ran = cod_run(TASK, *further, model="f3,skill=3", folder=tmp_path, ladder=two_rungs)
        assert ran.status == 0, ran.err
        newest = max(stores(tmp_path), key=lambda store: store.order)
        assert set(read_store(newest.path)[0]["n_samples"]) == sizes


@pytest.mark.parametrize("words", [("16:16",), ("16:x",), ("16:8",)])
def test_stages_that_are_none(cod_run: Runner, words: tuple[str]) -> None:
    assert cod_run(TASK, "--cod-repeats", *words).status == 2
