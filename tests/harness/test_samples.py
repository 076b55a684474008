"""Samples files in all the forms they come in: re-scored, per repeat, broken, doubled."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from harness_runs import DOCUMENTS, Ran

from cod_harness.cli import main
from cod_harness.errors import InputError
from cod_harness.harness.ingest.ingest import ingest
from cod_harness.ladder.compare import clones
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.store import read_store

TASK = "cod_t_two_filters"


@pytest.fixture
def logged(everything: Ran, tmp_path: Path) -> Path:
    """A run's folder as it is without the capture's file."""
    folder = tmp_path / "runs"
    shutil.copytree(everything.folder, folder)
    for path in folder.rglob("cod_*"):
        path.unlink()
    return folder


@pytest.fixture
def ladder(ladder_file: Path) -> Ladder:
    return read_ladder(ladder_file)


def one(folder: Path, task: str = TASK) -> Path:
    return next(folder.rglob(f"samples_{task}_2*"))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def nested(levels: int) -> list[Any]:
    value: list[Any] = ["x"]
    for _ in range(levels):
        value = [value]
    return value


def written(path: Path, samples: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    return path


def said(rates: PassRates, words: str) -> str:
    found = [note for note in rates.notes if words in note]
    assert found, (words, rates.notes)
    return found[0]


@pytest.mark.parametrize("task", [TASK, "cod_t_majority", "cod_t_custom", "cod_t_aliases"])
def test_rescored_like_captured(
    logged: Path, everything: Ran, ladder: Ladder, task_folder: Path, task: str
) -> None:
    """Without data set or model, every repeat gets the score that the capture gave it."""
    found = ingest([one(logged, task)], ladder, include_paths=[task_folder], task_code=True)
    captured, _ = read_store(everything.stores[0])
    theirs = captured[captured["task"] == task].reset_index(drop=True)
    ours = found.frame
    assert list(ours["question"]) == list(theirs["question"])
    assert list(ours["n_correct"]) == list(theirs["n_correct"])
    assert set(ours["n_samples"]) == {5}
    assert set(ours["filter"]) == set(theirs["filter"])
    said(found, "5 responses a question, re-scored")


def test_unknown_task(logged: Path, ladder: Ladder) -> None:
    found = ingest([one(logged)], ladder)
    assert set(found.frame["n_samples"]) == {1}
    assert "--include_path" in said(found, "not re-scored")


def test_scores_per_repeat(logged: Path, ladder: Ladder) -> None:
    """The harness's coming form: scores of all repeats beside the sample."""
    path = one(logged)
    samples = rows(path)
    for at, sample in enumerate(samples):
        right = at % 6
        sample["scores_per_repeat"] = {"exact_match": [1.0] * right + [0.0] * (5 - right)}
    written(path, samples)
    found = ingest([path], ladder)
    chosen = [s for s in samples if s["filter"] == found.frame["filter"].iloc[0]]
    want = [sum(s["scores_per_repeat"]["exact_match"]) for s in chosen]
    assert list(found.frame["n_correct"]) == want
    assert set(found.frame["n_samples"]) == {5}


def test_padded_responses(logged: Path, ladder: Ladder, task_folder: Path) -> None:
    path = one(logged)
    samples = rows(path)
    plain = ingest([path], ladder, include_paths=[task_folder], task_code=True).frame
    for sample in samples[DOCUMENTS - 1 :: DOCUMENTS]:
        sample["resps"][0] += ["The answer is 0."] * 3
    written(path, samples)
    found = ingest([path], ladder, include_paths=[task_folder], task_code=True)
    pd.testing.assert_frame_equal(found.frame, plain)
    said(found, "1 with padding cut")


def test_fewer_responses(logged: Path, ladder: Ladder, task_folder: Path) -> None:
    path = one(logged)
    samples = rows(path)
    for sample in samples:
        if sample["doc_id"] == 3:
            sample["resps"][0] = sample["resps"][0][:2]
    found = ingest([written(path, samples)], ladder, include_paths=[task_folder], task_code=True)
    assert sorted(set(found.frame["n_samples"])) == [2, 5]
    said(found, "1 with fewer responses")


def test_order_does_not_matter(logged: Path, ladder: Ladder, task_folder: Path) -> None:
    """`--samples` in no order mislabels doc_id: documents are told by their hash."""
    path = one(logged)
    plain = ingest([path], ladder, include_paths=[task_folder], task_code=True).frame
    samples = rows(path)
    for sample in samples:
        sample["doc_id"] = 1000 - sample["doc_id"]
    found = ingest(
        [written(path, samples[::-1])], ladder, include_paths=[task_folder], task_code=True
    ).frame
    once = ~plain["question"].str.contains(".", regex=False)
    twice = plain["doc_hash"][~once].iloc[0]
    first, second = (
        f[f["doc_hash"] != twice].set_index("question").sort_index() for f in (plain, found)
    )
    pd.testing.assert_frame_equal(first, second)


def test_lines_written_twice(logged: Path, ladder: Ladder) -> None:
    path = one(logged)
    samples = rows(path)
    found = ingest([written(path, samples + samples)], ladder)
    assert len(found.frame) == DOCUMENTS
    said(found, f"{DOCUMENTS} written twice")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"doc_id": 1}', "it has no doc_hash, resps, filter"),
        ("not json", "not JSON"),
        ("[1, 2]", "a list, not an object"),
        ('{"doc_hash": "a", "filter": "strict-match", "resps": []}', "hold no response"),
        ('{"doc_hash": "a", "filter": "strict-match", "resps": "x"}', "hold no response"),
        ('{"doc_hash": "a", "filter": "strict-match", "resps": [["x"]]}', "no exact_match"),
    ],
)
def test_broken_lines(logged: Path, ladder: Ladder, line: str, words: str) -> None:
    path = one(logged)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[1:]]) + "\n")
    found = ingest([path], ladder)
    assert len(found.frame) == DOCUMENTS
    assert any(re.search(rf"line 2.*{words}.*the other lines are used", n) for n in found.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exact_match": "yes"}, "exact_match is 'yes', no number"),
        ({"exact_match": None}, "exact_match is 'None', no number"),
        ({"exact_match": [1]}, "no number"),
        ({"exact_match": 10**400}, "no number"),
        ({"doc_hash": 7}, "its doc_hash is no name"),
        ({"doc_hash": "\ud800"}, "its doc_hash is no name"),
        ({"prompt_hash": ["x"]}, "its prompt_hash is no name"),
        ({"filter": {}}, "its filter is no name"),
        ({"resps": [[]]}, "hold no response"),
        ({"resps": 5}, "hold no response"),
        ({"metrics": [["exact_match"]]}, "its metrics are no names"),
        *[
            ({key: nested(700)}, "nested too deeply")
            for key in ("doc_id", "doc", "target", "resps", "exact_match", "other")
        ],
    ],
)
@pytest.mark.parametrize("at", [0, 3])
def test_samples_of_other_types(
    logged: Path, ladder: Ladder, change: dict[str, Any], words: str, at: int
) -> None:
    path = one(logged)
    samples = [row for row in rows(path) if row["filter"] == "strict-match"]
    samples[at] |= change
    found = ingest([written(path, samples)], ladder)
    assert len(found.frame) == len(samples) - 1
    assert words in said(found, "the other lines are used")


def test_a_first_sample_without_its_score(logged: Path, ladder: Ladder) -> None:
    path = one(logged)
    samples = [row for row in rows(path) if row["filter"] == "strict-match"]
    del samples[0]["exact_match"]
    found = ingest([written(path, samples)], ladder)
    assert len(found.frame) == len(samples) - 1
    assert "line 1: has no exact_match" in said(found, "the other lines are used")


def test_a_document_that_the_task_cannot_score(
    logged: Path, ladder: Ladder, task_folder: Path
) -> None:
    path = one(logged)
    samples = rows(path)
    for sample in samples:
        if sample["doc_id"] == 4:
            del sample["doc"]
    written(path, samples)
    found = ingest([path], ladder, include_paths=[task_folder], task_code=True)
    assert len(found.frame) == DOCUMENTS - 1 and set(found.frame["n_samples"]) == {5}
    assert "fails on the logged documents" in said(found, "the other lines are used")


def test_a_task_that_fits_the_first_document_alone(
    logged: Path, ladder: Ladder, task_folder: Path
) -> None:
    """Then all of the file goes by its logged scores, as where it is not scored again at all."""
    path = one(logged)
    samples = rows(path)
    for sample in samples:
        if sample["doc_id"] != 0:
            sample["doc"] = None
    written(path, samples)
    found = ingest([path], ladder, include_paths=[task_folder], task_code=True)
    assert len(found.frame) == DOCUMENTS and set(found.frame["n_samples"]) == {1}
    assert "their one logged score is used" in said(found, "not re-scored")


def test_a_broken_file_costs_no_other(logged: Path, ladder: Ladder) -> None:
    one(logged).write_text("")
    (one(logged, "cod_t_choice").parent / "samples_odd.jsonl").write_text("{}")
    found = ingest([logged], ladder)
    assert TASK not in found.tasks and "cod_t_choice" in found.tasks
    said(found, "not used: holds no samples")
    said(found, "not named samples_TASK_DATE.jsonl")


def test_a_file_that_was_cut_between_two_lines(logged: Path, ladder: Ladder) -> None:
    path = one(logged, "cod_t_choice")
    written(path, rows(path)[:-3])
    found = ingest([path], ladder)
    assert f"{DOCUMENTS - 3} questions, its results file tells of {DOCUMENTS}" in said(
        found, "cut short"
    )
    written(path, rows(path) * 2)


@pytest.mark.parametrize("task", ["mbpp", "humaneval"])
def test_repeated_programs_without_consent_go_by_logged_scores(
    tmp_path: Path, ladder: Ladder, task: str
) -> None:
    metric = {"mbpp": "pass_at_1", "humaneval": "pass@1"}[task]
    samples = [
        {
            "doc_id": at, "doc": {"text": f"{at}", "test_list": ["assert True"]}, "filter": "none",
            "doc_hash": f"h{at}", "prompt_hash": "p", "target_hash": "t", "target": "",
            "resps": [["print(1)", "print(2)"]], "metrics": [metric], metric: float(at % 2),
            "filtered_resps": ["print(1)"], "arguments": {},
        }
        for at in range(4)
    ]  # fmt: skip
    path = tmp_path / "f1" / f"samples_{task}_2026-01-01T00-00-00.000000.jsonl"
    path.parent.mkdir()
    found = ingest([written(path, samples)], ladder)
    assert list(found.frame["n_correct"]) == [0, 1, 0, 1] and set(found.frame["n_samples"]) == {1}
    assert "their one logged score is used" in said(found, "not re-scored")


def test_copies_are_known_whatever_ran_it(logged: Path, ladder: Ladder, task_folder: Path) -> None:
    path = one(logged)
    samples = rows(path)
    for sample in samples:
        sample["resps"] = [[sample["resps"][0][0]] * 5]
    written(path, samples)
    found = ingest([path], ladder, include_paths=[task_folder], task_code=True)
    assert found.settings[0]["tasks"][TASK]["identical_share"] == 1.0
    [told] = clones(found)
    assert told.startswith(f"{TASK}: on f1 all samples of a question are the same")


def test_what_strict_json_lacks(logged: Path, ladder: Ladder) -> None:
    """NaN among the metrics, half a character in a response, a byte-order mark, blank lines."""
    path = one(logged)
    lines = path.read_text().splitlines()
    lines[0] = lines[0].removesuffix("}") + ', "loss": NaN, "half": "\\ud83d"}'
    path.write_text("\ufeff" + "\n\n".join(lines) + "\n\n")
    assert len(ingest([path], ladder).frame) == DOCUMENTS


def test_empty_file(logged: Path, ladder: Ladder) -> None:
    path = one(logged)
    path.write_text("")
    with pytest.raises(InputError, match="holds no samples"):
        ingest([path], ladder)


def test_results_missing(logged: Path, ladder: Ladder) -> None:
    for path in logged.rglob("results_*"):
        path.unlink()
    found = ingest([one(logged)], ladder)
    assert "not checked" in said(found, "is missing")


def test_mixed_versions(
    logged: Path, ladder_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "runs" / "f2"
    shutil.copytree(logged / "f1", other)
    [results] = other.glob("results_*.json")
    told = json.loads(results.read_text())
    told["config"]["model_args"] = "pretrained=f2"
    told["versions"][TASK] = 99
    del told["cod"]
    results.write_text(json.dumps(told))
    for path in logged.rglob("samples_*"):
        if TASK not in path.name:
            path.unlink()
    out = tmp_path / "rates.parquet"
    words = ["ingest", str(logged), "--ladder", str(ladder_file), "-o", str(out)]
    assert main(words) == 2
    refusal = capsys.readouterr().err
    assert f"{TASK}: version is" in refusal and "99 on f2" in refusal
    assert "--allow-mismatch" in refusal
    assert not out.exists()
    assert main([*words, "--allow-mismatch"]) == 0
    assert "were run differently" in capsys.readouterr().err
    assert set(read_store(out)[0]["model"]) == {"f1", "f2"}


def test_named_rung(logged: Path, ladder: Ladder) -> None:
    (logged / "f1").rename(logged / "someone__else")
    for path in logged.rglob("results_*"):
        path.unlink()
    found = ingest([one(logged)], ladder, rung="f3")
    assert set(found.frame["model"]) == {"f3"}


def test_several_processes(
    logged: Path, ladder: Ladder, task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cod_harness.harness.ingest import pool as sample_pool

    one_by_one = ingest([logged], ladder, include_paths=[task_folder], processes=1)
    monkeypatch.setattr(sample_pool, "_WORTH_PROCESSES", 0)
    together = ingest([logged], ladder, include_paths=[task_folder], processes=2)
    pd.testing.assert_frame_equal(one_by_one.frame, together.frame)
    assert one_by_one.notes == together.notes


def test_programs_need_both_consents(
    logged: Path, ladder: Ladder, task_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cod_harness.harness.ingest.rescoring import TaskSource

    source = TaskSource([task_folder], run_code=True)
    monkeypatch.delenv("HF_ALLOW_CODE_EVAL", raising=False)
    with pytest.raises(InputError, match="HF_ALLOW_CODE_EVAL"):
        source.rebuilt("cod_mbpp", {})
    monkeypatch.setenv("HF_ALLOW_CODE_EVAL", "1")
    with pytest.raises(InputError, match="--confirm_run_unsafe_code"):
        TaskSource([task_folder], run_code=False).rebuilt("cod_mbpp", {})


class TestTables:
    def table(self, path: Path, text: str) -> Path:
        path.write_text(text)
        return path

    def run(self, *words: str) -> int:
        return main(["ingest", *words])

    def test_columns_renamed(
        self, tmp_path: Path, ladder_file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = self.table(tmp_path / "t.csv", "item,who,hits,tries\nq1,f1,3,8\nq2,f1,0,8\n")
        out = tmp_path / "o.parquet"
        flags = ["--column", "question=item", "--column", "model=who", "--column", "n_correct=hits"]
        flags += ["--column", "n_samples=tries", "--constant", "task=mine"]
        assert self.run(str(path), "--ladder", str(ladder_file), "-o", str(out), *flags) == 0
        frame, _ = read_store(out)
        assert list(frame["rate"]) == [0.375, 0.0]
        assert set(frame["task"]) == {"mine"}

    def test_one_answer_a_row(self, tmp_path: Path, ladder_file: Path) -> None:
        text = "sample_id,score\nq1,C\nq1,I\nq1,C\nq2,I\n"
        path = self.table(tmp_path / "t.csv", text)
        out = tmp_path / "o.parquet"
        flags = ["--column", "question=sample_id", "--column", "correct=score"]
        flags += ["--constant", "task=mine", "--constant", "model=f2"]
        assert self.run(str(path), "--ladder", str(ladder_file), "-o", str(out), *flags) == 0
        frame, _ = read_store(out)
        assert list(frame["n_correct"]) == [2, 0]
        assert list(frame["n_samples"]) == [3, 1]

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            (["--column", "question=nothing"], "no column 'nothing'; it has item, score"),
            (["--column", "question"], "write OURS=THEIRS"),
            (["--column", "colour=item"], "there is no column 'colour'"),
            (["--column", "question=item", "--column", "correct=score"], "row 2: correct is 'x'"),
        ],
    )
    def test_refused(
        self,
        tmp_path: Path,
        ladder_file: Path,
        capsys: pytest.CaptureFixture[str],
        flags: list[str],
        words: str,
    ) -> None:
        path = self.table(tmp_path / "t.csv", "item,score\nq1,1\nq2,x\n")
        more = ["--constant", "task=t", "--constant", "model=f1", "-o", str(tmp_path / "o.parquet")]
        assert self.run(str(path), "--ladder", str(ladder_file), *flags, *more) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1


def test_written_by_lm_eval_0_4_9(ladder: Ladder, task_folder: Path) -> None:
    """Files as that version wrote them (`--limit 8`); right answers are counted here again."""
    recorded = Path(__file__).parent / "recorded" / "lm-eval-0.4.9"
    found = ingest([recorded], ladder, include_paths=[task_folder], task_code=True)
    said(found, "3 samples files found, 3 read (28 kB), 3 used: 24 questions")
    frame = found.frame.set_index(["task", "doc_hash"])
    for sample in rows(one(recorded)):
        if sample["filter"] == "strict-match":
            given = [re.findall(r"The answer is (\d+)\.", r)[:1] for r in sample["resps"][0]]
            row = frame.loc[(TASK, sample["doc_hash"])]
            assert row["n_samples"] == 5
            assert row["n_correct"] == given.count([sample["target"]])
    for sample in rows(one(recorded, "cod_t_choice")):
        weights = [math.exp(float(answer[0][0])) for answer in sample["resps"]]
        row = frame.loc[("cod_t_choice", sample["doc_hash"])]
        assert row["n_samples"] == 0
        assert row["rate"] == pytest.approx(weights[int(sample["target"])] / sum(weights))
    assert set(frame.loc["cod_t_aliases"]["n_samples"]) == {5}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"results": {', "cannot be read"),
        ("[1]", "holds no JSON object"),
        ("[" * 100_000, "cannot be read"),
        ("9" * 5000, "holds no JSON object"),
    ],
)
def test_broken_results(logged: Path, ladder: Ladder, text: str, words: str) -> None:
    """The samples are there all the same; what the results would have told goes unchecked."""
    [results] = logged.rglob("results_*")
    results.write_text(text)
    found = ingest([one(logged)], ladder)
    assert len(found.frame) == DOCUMENTS
    assert str(results) in said(found, words)
    assert "not checked" in said(found, words)


@pytest.mark.parametrize("value", [None, 7, "x", [], [[]], {"a": 1}, {"a": []}, float("nan")])
def test_results_of_other_types(logged: Path, ladder: Ladder, value: Any) -> None:
    [results] = logged.rglob("results_*")
    content = json.loads(results.read_text())
    for key in list(content):
        results.write_text(json.dumps({**content, key: value}))
        assert len(ingest([one(logged)], ladder).frame) == DOCUMENTS
    for key in ("results", "configs", "n-samples", "group_subtasks"):
        parts = {name: value for name in content[key]} | {TASK: value}
        results.write_text(json.dumps({**content, key: parts}))
        assert len(ingest([one(logged)], ladder).frame) == DOCUMENTS
