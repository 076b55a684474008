"""Results without samples: read, matched to the ladder, and chosen among."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from results_files import SIZES, ladder_of, of_0_3, of_0_4, rising, stderr, written

from cod_harness.errors import InputError
from cod_harness.ladder.compare import differences
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import WHOLE, column_names, read_columns
from cod_harness.ladder.read_passrates import holds_measured, read_passrates
from cod_harness.ladder.results.beside import not_covered
from cod_harness.ladder.results.files import ResultsFile
from cod_harness.ladder.results.rows import questions_behind

RECORDED = Path(__file__).parents[1] / "harness/recorded/lm-eval-0.4.9"


def cell(rates: PassRates, task: str, model: str) -> tuple[float, int]:
    """Accuracy and draws behind it."""
    matrix = rates.matrix(task, [model])
    assert matrix.questions == [WHOLE]
    return float(matrix.rates[0, 0]), int(matrix.n_samples[0, 0])


def test_what_the_harness_wrote() -> None:
    rates = read_passrates(RECORDED, Ladder("l", (Model("f1", "rung", compute=1e20),)))
    assert rates.tasks == [
        "cod_t_aliases",
        "cod_t_choice",
        "cod_t_custom",
        "cod_t_group",
        "cod_t_two_filters",
    ]
    assert all(rates.whole(task) for task in rates.tasks)
    assert cell(rates, "cod_t_choice", "f1") == (0.5, 8)
    assert rates.questions("cod_t_choice") == 8
    assert rates.matrix("cod_t_choice", ["f1"]).metric == "acc"  # acc_norm is there too
    assert cell(rates, "cod_t_group", "f1") == (0.5, 8)  # no count is told: it follows
    two = rates.matrix("cod_t_two_filters", ["f1"])
    assert (two.filter, two.metric) == ("strict-match", "exact_match")


@pytest.mark.parametrize(("right", "n"), [(1, 2), (3, 8), (70, 100), (1234, 14042)])
def test_the_count_follows_from_the_standard_error(right: int, n: int) -> None:
    assert questions_behind(right / n, stderr(right / n, n)) == n


@pytest.mark.parametrize(
    ("p", "error"),
    [
        *[(0, 0.1), (1, 0.1), (0.5, 0.0), (0.5, None), (0.5, 1e-200)],
        *[(0.5, 1e300), (0.5, 1.1), (0.5, -0.1), (0.5, float("inf")), (0.5, float("nan"))],
    ],
)
def test_where_it_tells_nothing(p: float, error: float | None) -> None:
    assert questions_behind(p, error) is None


@pytest.mark.parametrize("form", ["0.3", "0.4.0", "0.4.13", "0.4.13 mapping"])
def test_files_of_every_version(tmp_path: Path, form: str) -> None:
    for place, size in enumerate(SIZES):
        model = f"EleutherAI/pythia-{size}"
        scores = {"arc_easy": rising(place), "wsc": (0.375, 104)}
        folder = tmp_path / model.replace("/", "__")
        if form == "0.3":
            of_0_3(tmp_path / f"{size}.json", f"pretrained={model},dtype=auto", scores)
        else:
            of_0_4(
                folder / "results_2024-05-01T10-00-00.000000.json",
                model,
                scores,
                counts=form != "0.4.0",
                args={"pretrained": model, "dtype": "auto"} if "mapping" in form else None,
            )
    rates = read_passrates(tmp_path, ladder_of())
    assert rates.notes == ()
    assert rates.tasks == ["arc_easy", "wsc"] and rates.models() == sorted(
        SIZES, key=lambda size: str(tmp_path / size) if form == "0.3" else f"pythia-{size}"
    )
    for place, size in enumerate(SIZES):
        assert cell(rates, "arc_easy", size) == (pytest.approx(rising(place)[0]), 1000)
    assert rates.questions("wsc") == 104
    (run, *_) = rates.settings
    assert run["tasks"]["wsc"]["num_fewshot"] == 0


def test_a_public_set_of_evaluations(tmp_path: Path) -> None:
    """Checkpoints, two ways of asking, and variants of the family in one folder."""
    for variant in ("", "-deduped"):
        for place, size in enumerate(SIZES):
            for shots, kind, tail in ((0, "zero-shot", ""), (5, "five-shot", "-5shot")):
                for step in (1000, 33000, 143000):
                    name = f"{size}{variant}"
                    args = f"pretrained=EleutherAI/pythia-v1.1-{name},revision=step{step}"
                    accuracy, n = rising(place)
                    accuracy += shots / 100 - (step < 143000) / 10 + bool(variant) / 20
                    of_0_3(
                        tmp_path / f"pythia-{name}/{kind}/{name}{tail}_step{step}.json",
                        f"use_accelerate=True,{args}" if step == 1000 else args,
                        {"sciq": (accuracy, n), **({"piqa": (0.5, 1838)} if not shots else {})},
                        shots=shots,
                    )
    rates = read_passrates(tmp_path, ladder_of())
    assert rates.tasks == ["piqa", "sciq@0-shot", "sciq@5-shot"]
    for place, size in enumerate(SIZES):
        assert cell(rates, "sciq@0-shot", size)[0] == pytest.approx(rising(place)[0])
        assert cell(rates, "sciq@5-shot", size)[0] == pytest.approx(rising(place)[0] + 0.05)
    left, last, ways = rates.notes
    assert left.startswith("48 results files left out") and "-deduped" in left
    assert "step143000 of each" in last and "32 results files" in last
    assert "sciq@0-shot" in ways
    assert differences(rates) == []
    # The other variant, by a pattern on the model's name; one folder, by one on the path.
    other = read_passrates(tmp_path, ladder_of(), match="*/pythia-v1.1-{rung}-deduped")
    assert cell(other, "sciq@0-shot", "1b")[0] == pytest.approx(rising(3)[0] + 0.05)
    early = read_passrates(tmp_path, ladder_of(), match="pythia-v1.1-{rung}@step1000")
    assert cell(early, "sciq@0-shot", "1b")[0] == pytest.approx(rising(3)[0] - 0.1)
    some = read_passrates(tmp_path, ladder_of(), match="pythia-{rung}/zero-shot/*.json")
    assert some.tasks == ["piqa", "sciq"]


@pytest.mark.parametrize("name", ["{size}-step{step}", "{size}_step{step}", "{size}@step{step}"])
def test_checkpoints_as_rungs(tmp_path: Path, name: str) -> None:
    steps = (1000, 13000, 33000, 143000)
    for place, step in enumerate(steps):
        args = f"pretrained=EleutherAI/pythia-1b,revision=step{step}"
        of_0_3(tmp_path / f"1b_step{step}.json", args, {"sciq": rising(place)})
    names = [name.format(size="1b", step=step) for step in steps]
    rates = read_passrates(tmp_path, ladder_of(names))
    assert [cell(rates, "sciq", one)[0] for one in names] == [
        pytest.approx(rising(place)[0]) for place in range(4)
    ]


def test_checkpoints_that_the_ladder_runs(tmp_path: Path) -> None:
    steps = ("step1000", "step13000")
    for place, step in enumerate(steps):
        args = f"pretrained=org/m,revision={step}"
        of_0_3(tmp_path / f"{place}.json", args, {"sciq": rising(place)})
    rungs = tuple(
        Model(name, "rung", compute=1e20, model_args=f"pretrained=org/m,revision={step}")
        for name, step in zip(("early", "late"), steps, strict=True)
    )
    rates = read_passrates(tmp_path, Ladder("l", rungs))
    assert cell(rates, "sciq", "early")[0] == rising(0)[0]
    assert cell(rates, "sciq", "late")[0] == rising(1)[0]


def test_steps_told_by_the_path_alone(tmp_path: Path) -> None:
    for step, accuracy in ((500, 0.1), (51500, 0.2)):
        name = f"pythia-1b-5shot-global_step{step}_eval_results_12-29-2022-16-51-02.json"
        of_0_3(tmp_path / "pythia-1b" / name, "ckpt", {"sciq": (accuracy, 1000)}, shots=5)
    rates = read_passrates(tmp_path, ladder_of(["1b", "big"]))
    assert cell(rates, "sciq", "1b")[0] == 0.2


def test_a_name_is_matched_whole(tmp_path: Path) -> None:
    for model in ("org/m-1.4b", "org/m-11.4b", "org/m-1.4b5"):
        of_0_3(tmp_path / f"{model[4:]}.json", f"pretrained={model}", {"sciq": (0.5, 100)})
    rates = read_passrates(tmp_path, ladder_of(["1.4b", "4b", "big"]))
    assert rates.models() == ["1.4b"]


def test_files_that_the_ladder_names(tmp_path: Path) -> None:
    one = of_0_3(tmp_path / "any.json", "pretrained=x", {"arc": (0.5, 100)})
    two = of_0_3(tmp_path / "two.json", "pretrained=y", {"arc": (0.75, 100)})
    ladder = ladder_of(["a", "b"], a={"results": (one,)}, b={"results": (two,)})
    for paths in ([], [tmp_path]):
        rates = read_passrates(paths, ladder)
        assert cell(rates, "arc", "a")[0] == 0.5 and cell(rates, "arc", "b")[0] == 0.75
        assert rates.notes == ()


def test_a_pattern_that_fits_nothing(tmp_path: Path) -> None:
    of_0_3(tmp_path / "x.json", "pretrained=org/m-1b", {"sciq": (0.5, 100)})
    ladder = ladder_of(["1b", "big"])
    for pattern, words in (("m-{rung}", None), ("n-{rung}", "fits none"), ("m", "write {rung}")):
        if words is None:
            assert read_passrates(tmp_path, ladder, match=pattern).models() == ["1b"]
            continue
        with pytest.raises(InputError, match=re.escape(words)):
            read_passrates(tmp_path, ladder, match=pattern)
    table = tmp_path / "t.csv"
    table.write_text("task,model,accuracy\narc,1b,0.5\n")
    with pytest.raises(InputError, match="no results file to match"):
        read_passrates(table, ladder, match="{rung}")


def test_which_metric_counts(tmp_path: Path) -> None:
    scores = {
        "hellaswag": {"acc": 0.25, "acc_norm": 0.5},
        "lambada": {"ppl": 12.5, "acc": 0.25},
        "norm": {"acc_norm": 0.5},
        "drop": {"em": 0.25, "f1": 0.5},
        "squad": {"exact": 61.5, "f1": 70.0},
        "wikitext": {"word_perplexity": 0.5, "byte_perplexity": 0.25},
        "crows": {"likelihood_difference": 0.5, "pct_stereotype": 0.25},
        "count": {"acc": True, "exact_match": 0.25},
    }
    path = written(tmp_path / "1b.json", results=scores, config={})
    rates = read_passrates(path, ladder_of(["1b", "big"]))
    assert {task: cell(rates, task, "1b")[0] for task in rates.tasks} == {
        "hellaswag": 0.25,
        "lambada": 0.25,
        "norm": 0.5,
        "drop": 0.25,
        "count": 0.25,
    }
    assert sorted(rates.notes) == [
        "left out, no accuracy in the results: crows (likelihood_difference, pct_stereotype)",
        "left out, no accuracy in the results: squad (exact of 61.5)",
        "left out, no accuracy in the results: wikitext (word_perplexity, byte_perplexity)",
    ]
    choice = {"h*": ("none", "acc_norm"), "crows": ("none", "pct_stereotype")}
    chosen = read_passrates(path, ladder_of(["1b", "big"]), metrics=choice)
    assert cell(chosen, "hellaswag", "1b")[0] == 0.5 and cell(chosen, "crows", "1b")[0] == 0.25


def test_numbers_out_of_all_bounds(tmp_path: Path) -> None:
    scores = {"acc,none": 0.5, "acc_stderr,none": 1e-300}
    more = {"n-samples": {"arc": {"effective": 1e300}}, "n-shot": {"arc": 1e300}, "date": 1e300}
    config = {"limit": 1e300, "num_fewshot": "many", "model_args": ["x"]}
    results = {"arc": scores, "odd": {"acc,none": 1e300}, "none": {}}
    path = written(tmp_path / "1b.json", results=results, config=config, versions=3, **more)
    rates = read_passrates(path, ladder_of(["1b", "big"]))
    assert cell(rates, "arc", "1b") == (0.5, 0)
    assert rates.notes == ("left out, no accuracy in the results: odd (acc,none of 1e+300)",)


def test_the_count_that_is_told_serves_where_the_standard_error_tells_nothing(
    tmp_path: Path,
) -> None:
    """At an accuracy of 1 it is 0, whatever the number of questions."""
    ladder = ladder_of(["1b", "big"])
    path = of_0_4(tmp_path / "1b.json", "1b", {"arc": (1.0, 300)})
    rates = read_passrates(path, ladder)
    assert cell(rates, "arc", "1b") == (1.0, 300) and rates.questions("arc") == 300
    untold = of_0_4(tmp_path / "more" / "1b.json", "1b", {"arc": (1.0, 300)}, counts=False)
    assert cell(read_passrates(untold, ladder), "arc", "1b") == (1.0, 0)


def test_filters_of_later_versions(tmp_path: Path) -> None:
    scores = {"exact_match,strict-match": 0.25, "exact_match,flexible-extract": 0.5}
    scores |= {"exact_match_stderr,strict-match": "N/A"}
    path = written(tmp_path / "1b.json", results={"gsm8k": scores}, config={})
    ladder = ladder_of(["1b", "big"])
    rates = read_passrates(path, ladder)
    assert rates.matrix("gsm8k", ["1b"]).filter == "strict-match"
    choice = {"gsm8k": ("flexible-extract", "exact_match")}
    assert cell(read_passrates(path, ladder, metrics=choice), "gsm8k", "1b")[0] == 0.5
    assert rates.questions("gsm8k") == 0  # nothing tells


def test_groups_and_their_tasks(tmp_path: Path) -> None:
    groups = {"mmlu": ["mmlu_stem", "mmlu_law"], "mmlu_stem": ["mmlu_a", "mmlu_b"]}
    scores = {"mmlu": (0.4, 300), "mmlu_stem": (0.35, 200), "mmlu_a": (0.3, 100)}
    scores |= {"mmlu_b": (0.4, 100), "mmlu_law": (0.5, 100)}
    of_0_4(tmp_path / "1b.json", "m-1b", scores, groups=groups)
    rates = read_passrates(tmp_path, ladder_of(["1b", "big"]))
    assert rates.tasks == ["mmlu", "mmlu_a", "mmlu_b", "mmlu_law", "mmlu_stem"]
    assert cell(rates, "mmlu", "1b") == (0.4, 300)


def test_of_several_runs_the_newest_of_all_questions(tmp_path: Path) -> None:
    folder = tmp_path / "m-1b"
    for day, accuracy, limit in ((1, 0.1, None), (2, 0.2, None), (3, 0.3, 10.0)):
        path = folder / f"results_2024-05-0{day}T10-00-00.json"
        of_0_4(path, "m-1b", {"arc": (accuracy, 100)}, date=1.7e9 + 86400 * day, limit=limit)
    rates = read_passrates(tmp_path, ladder_of(["1b", "big"]))
    assert cell(rates, "arc", "1b")[0] == 0.2
    first, third = rates.notes
    assert "05-01T" in first and first.endswith("is newer")
    assert "05-03T" in third and third.endswith("is of all questions")


def test_two_runs_of_one_day_are_named(tmp_path: Path) -> None:
    for name, accuracy in (("a", 0.1), ("b", 0.2)):
        of_0_4(tmp_path / f"{name}/m-1b/results.json", "m-1b", {"arc": (accuracy, 100)})
    rates = read_passrates(tmp_path, ladder_of(["1b", "big"]))
    (note,) = rates.notes
    assert note.endswith("counts, of the same day") and cell(rates, "arc", "1b")[0] == 0.2


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ({"version": 2.0}, "arc: version is 1.0 on a and 2.0 on b"),
        ({"shots": 5}, "arc: num_fewshot is 0 on a and 5 on b"),
        ({"limit": 10.0}, "arc: limit is none on a and 10.0 on b"),
    ],
)
def test_rungs_that_were_run_differently(tmp_path: Path, way: dict[str, Any], words: str) -> None:
    of_0_4(tmp_path / "a.json", "m-a", {"arc": (0.1, 100)})
    of_0_4(tmp_path / "b.json", "m-b", {"arc": (0.2, 100)}, **way)
    found = differences(read_passrates(tmp_path, ladder_of(["a", "b"])))
    assert [one.text for one in found if one.kind == "settings"] == [words.replace(" and ", ", ")]


def test_a_way_that_few_models_were_asked_in(tmp_path: Path) -> None:
    for place, size in enumerate(SIZES):
        of_0_3(tmp_path / f"{size}.json", f"pretrained=m-{size}", {"sciq": rising(place)})
    of_0_3(tmp_path / "more.json", "pretrained=m-70m", {"sciq": (0.9, 100)}, shots=5)
    rates = read_passrates(tmp_path, ladder_of())
    assert rates.tasks == ["sciq"] and cell(rates, "sciq", "70m")[0] == rising(0)[0]
    assert rates.notes == ("left out, 5-shot results of few models: sciq",)


@pytest.mark.parametrize(
    ("asked_again", "tasks"), [(3, ["sciq"]), (4, ["sciq@0-shot", "sciq@5-shot"])]
)
def test_a_way_that_half_the_models_were_asked_in_counts(
    tmp_path: Path, asked_again: int, tasks: list[str]
) -> None:
    for place, size in enumerate(SIZES):
        for shots in (0, 5) if place < asked_again else (0,):
            path = tmp_path / f"{size}-{shots}.json"
            of_0_3(path, f"pretrained=m-{size}", {"sciq": rising(place)}, shots=shots)
    assert read_passrates(tmp_path, ladder_of()).tasks == tasks


def test_beside_pass_rates_of_questions(tmp_path: Path) -> None:
    for model in ("a", "b", "c"):
        scores = {"arc": (0.5, 100), "alone": (0.25, 100)}
        of_0_4(tmp_path / f"m-{model}/results_x.json", f"m-{model}", scores)
    table = tmp_path / "rates.csv"
    rows = [("arc", f"q{i}", model, i % 2, 1) for i in range(4) for model in ("a", "b")]
    columns = ["task", "question", "model", "n_correct", "n_samples"]
    pd.DataFrame(rows, columns=columns).to_csv(table)
    ladder = ladder_of(["a", "b", "c"])
    # The target's accuracy is all that is known of it; the rungs keep their questions.
    rates = read_passrates([tmp_path, table], ladder)
    assert not rates.whole("arc") and rates.whole("alone")
    assert len(rates.matrix("arc", ["a", "b"]).questions) == 4
    assert cell(rates, "arc", "c")[0] == 0.5
    # With a rung of which only the accuracy is known, all are averaged.
    rungs = ladder_of(["a", "b", "c", "big"])
    rates = read_passrates([tmp_path, table], rungs)
    assert rates.whole("arc") and cell(rates, "arc", "a") == (0.5, 4)
    assert "of some rungs only the accuracy is known" in rates.notes[-1]
    # A mean probability is no accuracy.
    frame = pd.read_csv(table).drop(columns=["n_correct"])
    frame.assign(n_samples=0, rate=0.5).to_csv(table, index=False)
    rates = read_passrates([tmp_path, table], rungs)
    assert rates.models("arc") == ["a", "b"]
    assert "mean probabilities" in rates.notes[-1]


def test_an_anchor_needs_questions(tmp_path: Path) -> None:
    of_0_4(tmp_path / "c.json", "m-c", {"arc": (0.5, 100)})
    table = tmp_path / "rates.csv"
    table.write_text("task,question,model,n_correct,n_samples\narc,q,a,1,1\narc,q,b,0,1\n")
    ladder = ladder_of(["a", "b", "big"])
    ladder = replace(ladder, anchors=(Model("c", "anchor"),))
    rates = read_passrates([tmp_path / "c.json", table], ladder)
    assert rates.models() == ["a", "b"]
    assert rates.notes == ("arc: anchors left out, no questions: c",)


def test_results_of_no_rung_are_left_out(tmp_path: Path) -> None:
    of_0_4(tmp_path / "a.json", "m-a", {"arc": (0.5, 100)})
    of_0_4(tmp_path / "b.json", "m-b", {"arc": (0.5, 100), "new": (0.5, 100)})
    rates = read_passrates(tmp_path, ladder_of(["a", "b"]))
    assert rates.tasks == ["arc"]
    assert rates.notes == ("left out, results of no rung: new",)


def test_results_need_a_ladder_and_a_model_of_it(tmp_path: Path) -> None:
    path = of_0_4(tmp_path / "a.json", "m-a", {"arc": (0.5, 100)})
    with pytest.raises(InputError, match="read them with the ladder"):
        read_passrates(path)
    with pytest.raises(InputError, match="left out, of no model of l: m-a"):
        read_passrates(path, ladder_of(["x", "y"]))


def test_what_holds_no_results(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    faults = {
        tmp_path / "none.json": "no such file",
        broken: "cannot be read as JSON",
        written(tmp_path / "other.json", scores={}): "has no `results`",
        written(tmp_path / "list.json", results=[]): "has no `results`",
    }
    for path, words in faults.items():
        with pytest.raises(InputError, match=words) as caught:
            read_passrates(path, ladder_of(["a", "b"]))
        assert str(caught.value).startswith(str(path))
    # In a folder such files are none of ours.
    (tmp_path / "config.json").write_text(json.dumps({"results": {"x": 1}}))
    with pytest.raises(InputError, match="holds no cod_passrates"):
        read_passrates(tmp_path, ladder_of(["a", "b"]))


def test_a_table_of_accuracies(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        f"task,model,accuracy,stderr,n\narc,a,0.7,{math.sqrt(0.21 / 99)},\n"
        "arc,b,0.5,,40\narc,c,1,,\nnew,a,0.25,,\n"
    )
    rates = read_passrates(path)
    assert [cell(rates, "arc", model) for model in "abc"] == [(0.7, 100), (0.5, 40), (1.0, 70)]
    assert cell(rates, "new", "a") == (0.25, 0) and rates.questions("new") == 0
    pd.DataFrame(
        {"task": ["arc"], "model": ["a"], "accuracy": [0.25], "metric": ["acc"]}
    ).to_parquet(tmp_path / "t.parquet")
    assert read_passrates(tmp_path / "t.parquet").matrix("arc", ["a"]).metric == "acc"


def test_a_log_of_metrics(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "run,metric,value\na,downstream/arc_rc_len_norm,0.25\na,downstream/arc_bpb,0.5\n"
        "a,eval/loss,2.5\na,boolq_acc,0.5\nother,boolq_acc,0.75\n"
    )
    rates = read_passrates(tmp_path, ladder_of(["a", "b"]))  # the folder will do
    assert rates.tasks == ["arc_rc", "boolq"]
    assert rates.matrix("arc_rc", ["a"]).metric == "len_norm"
    assert "left out: other" in rates.notes[0]
    path.write_text("run,metric,value\na,eval/loss,2.5\n")
    with pytest.raises(InputError, match="none of its metrics ends in the name of an accuracy"):
        read_passrates(path, ladder_of(["a", "b"]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task,accuracy\na,0.5\n", "lacks the column model"),
        ("task,model,accuracy\na,b,1.5\n", "row 1: accuracy is '1.5'; it lies in 0 to 1"),
        ("task,model,accuracy\na,b,\n", "row 1: accuracy is ''"),
        ("task,model,accuracy\na,b,0.5\na,c,x\n", "row 2: accuracy is 'x', not a number"),
        ("task,model,accuracy,stderr\na,b,0.5,-1\n", "row 1: stderr is '-1'"),
        ("task,model,accuracy,n\na,b,0.5,0\n", "row 1: n is '0'"),
        ("task,model,accuracy,n\na,b,0.5,2.5\n", "row 1: n is '2.5'"),
        ("task,model,accuracy,n\na,b,0.5,1e300\n", "row 1: n is '1e300'"),
        ("task,model,accuracy\n,b,0.5\n", "row 1: task is empty"),
        ("task,model,accuracy\na,b,0.5\na,b,0.6\n", "row 2: a on b is row 1 too"),
        ("task,model,accuracy\n", "has no rows"),
    ],
)
def test_a_wrong_table_of_accuracies(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        read_passrates(path)
    assert str(caught.value).startswith(str(path))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    for place, size in enumerate(SIZES):
        of_0_4(tmp_path / f"r/{size}.json", f"m-{size}", {"sciq": rising(place)})
    rates = read_passrates(tmp_path / "r", ladder_of())
    again = read_passrates(rates.write(tmp_path / "s.parquet"), ladder_of())
    assert again.frame.equals(rates.frame)
    assert again.whole("sciq") and again.questions("sciq") == 1000


def test_a_groups_accuracy_is_left_to_its_questions(tmp_path: Path) -> None:
    """Where a model was measured on all tasks of the group question by question."""
    groups = {"mmlu": ["mmlu_a", "mmlu_stem"], "mmlu_stem": ["mmlu_b"]}
    scores = {"mmlu": (0.4, 200), "mmlu_stem": (0.5, 100), "mmlu_a": (0.3, 100)}
    for name in ("a", "b"):
        path = tmp_path / f"m-{name}.json"
        of_0_4(path, f"m-{name}", {**scores, "mmlu_b": (0.5, 100)}, groups=groups)
    table = tmp_path / "rates.csv"
    asked = ["mmlu_a,q,a,1,1", "mmlu_b,q,a,0,1", "mmlu_a,q,b,1,1"]
    table.write_text("\n".join(["task,question,model,n_correct,n_samples", *asked]))
    frame = read_passrates([tmp_path, table], ladder_of(["a", "b", "big"])).frame
    whole = frame[frame["question"] == WHOLE]
    told = set(zip(whole["task"], whole["model"], strict=True))
    # mmlu_b is averaged on a, as on b no more of it is known.
    assert told == {("mmlu", "b"), ("mmlu_stem", "b"), ("mmlu_b", "b"), ("mmlu_b", "a")}


def test_a_choice_that_a_task_does_not_offer(tmp_path: Path) -> None:
    results = {"gsm8k": {"exact_match,strict": 0.25}, "arc": {"acc,none": 0.5}}
    path = written(tmp_path / "1b.json", results=results, config={})
    choice = {"gsm8k": ("loose", "exact_match")}
    rates = read_passrates(path, ladder_of(["1b", "big"]), metrics=choice)
    assert rates.tasks == ["arc"]
    assert rates.notes == ("left out, no accuracy in the results: gsm8k (exact_match)",)


@pytest.mark.parametrize(("number", "more"), [(6, ""), (7, " and 1 more"), (9, " and 3 more")])
def test_six_tasks_without_an_accuracy_are_named(tmp_path: Path, number: int, more: str) -> None:
    results: dict[str, Any] = {f"t{at}": {"loss": 2.5} for at in range(number)}
    path = written(tmp_path / "1b.json", results=results | {"arc": {"acc": 0.5}}, config={})
    rates = read_passrates(path, ladder_of(["1b", "big"]))
    named = ", ".join(f"t{at}" for at in range(6)) + more
    assert rates.notes == (f"left out, no accuracy in the results: {named} (loss of 2.5)",)


def test_how_answers_were_generated_is_told(tmp_path: Path) -> None:
    path = of_0_4(tmp_path / "1b.json", "m-1b", {"gsm8k": (0.5, 100)})
    content = json.loads(path.read_text())
    kwargs = {"temperature": 0.7}
    path.write_text(json.dumps(content | {"configs": {"gsm8k": {"generation_kwargs": kwargs}}}))
    (run,) = read_passrates(path, ladder_of(["1b", "big"])).settings
    assert run["tasks"]["gsm8k"]["generation_kwargs"] == kwargs


def test_a_standard_error_says_up_to_a_billion_questions() -> None:
    for n, told in ((9 * 10**8, True), (11 * 10**8, False)):
        found = questions_behind(0.8, math.sqrt(0.16 / (n - 1)))
        assert found == (pytest.approx(n, rel=1e-6) if told else None)


def test_a_standard_error_of_0_is_none(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("task,model,accuracy,stderr,n\narc,a,1,0,300\narc,b,0.5,0,\n")
    rates = read_passrates(path)
    assert [cell(rates, "arc", model) for model in "ab"] == [(1.0, 300), (0.5, 300)]


def test_what_a_results_file_is_called() -> None:
    def label(name: str, **args: str) -> str:
        config = {"model_args": ",".join(f"{key}={value}" for key, value in args.items())}
        return ResultsFile(Path("some") / name, {"config": config}, Path("some")).label

    assert label("a.json", pretrained="org/m") == "org/m"
    assert label("a.json", pretrained="org/m", revision="step5") == "org/m@step5"
    assert label("a.json", dtype="auto") == "some"
    assert label("m_step7.json") == "some@step7"


def test_a_file_without_any_score(tmp_path: Path) -> None:
    path = written(tmp_path / "1b.json", results={"heading": {"alias": "x"}}, config={})
    with pytest.raises(InputError, match=r"1b\.json: holds no accuracy of any task"):
        read_passrates(path, ladder_of(["1b", "big"]))


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".PARQUET"])
def test_the_columns_of_a_table(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t{ending}"
    table = pd.DataFrame({"task": ["arc"], "model": ["a"], "accuracy": [0.5]})
    table.to_csv(path, index=False) if ending == ".csv" else table.to_parquet(path)
    assert column_names(path) == ["task", "model", "accuracy"]
    path.write_bytes(b"\xff\xfe" * 20)
    assert column_names(path) == column_names(tmp_path / "none.csv") == []


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert not holds_measured(tmp_path / "none") and not holds_measured(tmp_path)
    (tmp_path / "t.csv").write_text("task,model,accuracy\n")
    assert holds_measured(tmp_path)


def test_an_anchor_and_a_target_without_questions(tmp_path: Path) -> None:
    """The target's accuracy is what its forecast is held against."""
    for name in ("c", "big"):
        of_0_4(tmp_path / f"{name}.json", f"m-{name}", {"arc": (0.5, 100)})
    table = tmp_path / "rates.csv"
    table.write_text("task,question,model,n_correct,n_samples\narc,q,a,1,1\narc,q,b,0,1\n")
    ladder = replace(ladder_of(["a", "b", "big"]), anchors=(Model("c", "anchor"),))
    rates = read_passrates([tmp_path / "c.json", tmp_path / "big.json", table], ladder)
    assert rates.models() == ["a", "b", "big"] and cell(rates, "arc", "big") == (0.5, 100)
    assert rates.frame.index.tolist() == [0, 1, 2]
    assert rates.notes == ("arc: anchors left out, no questions: c",)


def test_groups_in_a_circle_are_no_measurements() -> None:
    rows = pd.DataFrame({"model": ["a"], "task": ["g"]})
    known = pd.DataFrame({"model": ["a"], "task": ["t"]})
    groups = {"g": ["h", "t"], "h": ["g"]}
    assert len(not_covered(rows, known, groups)) == 1
    assert len(not_covered(rows, known, {"g": ["h", "t"], "h": ["t"]})) == 0


def test_a_pattern_takes_the_longest_name_that_fits(tmp_path: Path) -> None:
    for name, accuracy in (("1b", 0.25), ("1b-long", 0.5)):
        of_0_3(tmp_path / f"{name}.json", f"pretrained=m-{name}-final", {"sciq": (accuracy, 100)})
    for names in (["1b", "1b-long", "big"], ["1b-long", "1b", "big"]):
        rates = read_passrates(tmp_path, ladder_of(names), match="m-{rung}*")
        assert [cell(rates, "sciq", name)[0] for name in ("1b", "1b-long")] == [0.25, 0.5]


@pytest.mark.parametrize(
    ("number", "named"), [(4, "x0, x1, x2, x3"), (5, "x0, x1, x2, x3 and 1 more")]
)
def test_four_models_that_are_not_the_ladders_are_named(
    tmp_path: Path, number: int, named: str
) -> None:
    for name in ("a", *(f"x{at}" for at in range(number))):
        of_0_3(tmp_path / f"{name}.json", f"pretrained={name}", {"sciq": (0.5, 100)})
    (note,) = read_passrates(tmp_path, ladder_of(["a", "big"])).notes
    assert note == f"{number} results files left out, of no model of l: {named}"


def test_a_page_that_is_not_what_was_written_is_refused(tmp_path: Path) -> None:
    """Where its writer left checksums."""
    path = tmp_path / "t.parquet"
    names = pa.array([f"question-{at}" for at in range(50)])
    pq.write_table(
        pa.table({"question": names}), path, compression="none", use_dictionary=False,
        write_statistics=False, write_page_checksum=True,
    )  # fmt: skip
    assert len(read_columns(path)) == 50
    content = path.read_bytes()
    assert content.count(b"question-17") == 1
    path.write_bytes(content.replace(b"question-17", b"question-71"))
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_columns(path)


def test_a_folder_of_empty_results_has_no_accuracy(tmp_path: Path) -> None:
    written(tmp_path / "results_1.json", results={}, config={"model_args": "pretrained=1b"})
    with pytest.raises(InputError, match="holds no accuracy of any task"):
        read_passrates(tmp_path, ladder_of(["1b", "big"]))


@pytest.mark.parametrize("n", [1, 10**9])
def test_numbers_of_questions_that_may_be(tmp_path: Path, n: int) -> None:
    (tmp_path / "t.csv").write_text(f"task,model,accuracy,n\narc,a,1,{n}\n")
    assert cell(read_passrates(tmp_path / "t.csv"), "arc", "a") == (1.0, n)


def test_without_a_ladder_every_model_is_a_rung(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("task,question,model,n_correct,n_samples\narc,q,a,1,1\n")
    (tmp_path / "t.csv").write_text("task,model,accuracy,n\narc,b,0.5,40\n")
    rates = read_passrates([tmp_path / "q.csv", tmp_path / "t.csv"])
    assert [cell(rates, "arc", model) for model in "ab"] == [(1.0, 1), (0.5, 40)]


@pytest.mark.parametrize(("number", "more"), [(6, ""), (7, " and 1 more")])
def test_six_tasks_of_no_rung_are_named(tmp_path: Path, number: int, more: str) -> None:
    of_0_4(tmp_path / "a.json", "m-a", {"arc": (0.5, 100)})
    of_0_4(tmp_path / "b.json", "m-b", {f"t{at}": (0.5, 100) for at in range(number)})
    rates = read_passrates(tmp_path, ladder_of(["a", "b"]))
    named = ", ".join(f"t{at}" for at in range(6)) + more
    assert rates.notes == (f"left out, results of no rung: {named}",)


def test_of_checkpoints_that_the_ladder_names_the_last_counts(tmp_path: Path) -> None:
    paths = tuple(
        of_0_3(tmp_path / f"{step}.json", f"pretrained=x,revision=step{step}", {"arc": (rate, 100)})
        for step, rate in ((2000, 0.5), (1000, 0.25))
    )
    rates = read_passrates([], ladder_of(["a", "big"], a={"results": paths}))
    assert cell(rates, "arc", "a")[0] == 0.5 and "step2000" in rates.notes[0]


def test_the_filter_of_a_run_is_told(tmp_path: Path) -> None:
    results = {"gsm8k": {"exact_match,strict-match": 0.25}, "arc": {"acc": 0.5}}
    path = written(tmp_path / "1b.json", results=results, config={})
    (run,) = read_passrates(path, ladder_of(["1b", "big"])).settings
    assert run["tasks"]["gsm8k"]["filter"] == "strict-match" and "filter" not in run["tasks"]["arc"]


def test_a_run_of_ours_says_which_model_it_is_of(tmp_path: Path) -> None:
    cod = {"ladder": "l", "rung": "1b"}  # and nothing of its tasks
    written(tmp_path / "x.json", results={"arc": {"acc": 0.5}}, config={}, cod=cod)
    assert cell(read_passrates(tmp_path, ladder_of(["1b", "big"])), "arc", "1b")[0] == 0.5
    other = {"ladder": "another", "rung": "1b"}
    written(tmp_path / "x.json", results={"arc": {"acc": 0.5}}, config={}, cod=other)
    with pytest.raises(InputError, match="of no model of l"):
        read_passrates(tmp_path, ladder_of(["1b", "big"]))


def test_nothing_is_told_of_results_that_are_not_needed(tmp_path: Path) -> None:
    for name in ("a", "elsewhere"):
        of_0_4(tmp_path / f"{name}.json", f"m-{name}", {"arc": (0.5, 100)})
    table = tmp_path / "rates.csv"
    table.write_text("task,question,model,n_correct,n_samples\narc,q,a,1,1\n")
    rates = read_passrates([tmp_path, table], ladder_of(["a", "big"]))
    assert not rates.whole("arc") and rates.notes == () and rates.settings == ()
