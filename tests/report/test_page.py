from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import numpy as np
import pytest
from made_documents import (
    abstained,
    empty_task,
    made_backtest,
    made_document,
    made_entry,
    made_forecast,
    made_forecasts,
    made_summary,
    made_task,
)

from cod_harness.cli import main
from cod_harness.documents.schemas import schema
from cod_harness.errors import InputError
from cod_harness.evaluation.backtest import summaries
from cod_harness.evaluation.question_map import CELLS, question_map
from cod_harness.evaluation.records.backtest import Backtest, BacktestRow
from cod_harness.evaluation.records.forecast import Forecasts, TaskForecast
from cod_harness.report.charts.course import SD_OF_90, course
from cod_harness.report.charts.files import write_charts
from cod_harness.report.charts.parts import ticks
from cod_harness.report.page.beside import page_beside
from cod_harness.report.page.forecast import forecast_content
from cod_harness.report.page.page import charts_of, page, write_page
from cod_harness.report.page.question_texts import question_texts
from cod_harness.report.text import sentences as reading
from cod_harness.report.text.markdown import markdown

pytest.importorskip("altair")
LIMIT = 2_000_000  # bytes of a page
VIEWS = {"clusters": {"mean": 0.5, "weight": 0.25}, "trend": {"mean": 0.7, "weight": 0.75}}


def specs(text: str) -> dict[str, Any]:
    found = re.findall(r'class="specs" data-group="([^"]*)">([^<]*)<', text)
    return {name: json.loads(gzip.decompress(base64.b64decode(data))) for name, data in found}


def test_the_made_up_document_is_one() -> None:
    jsonschema.validate(made_document(), schema(Forecasts))
    jsonschema.validate(made_backtest(), schema(Backtest))


def test_what_the_first_screen_says() -> None:
    weak = made_entry(
        "math", verdict="weak", reasons=["the interval is 15 points wide"],
        codes=["wide_interval"], observed=0.8,
    )  # fmt: skip
    entries = [
        made_entry("gsm8k", parts=VIEWS),
        weak,
        made_entry("gsm8k", "exp", mean=0.5),
        abstained("math", "exp"),
        abstained("gsm8k", "loss"),
        abstained("math", "loss"),
    ]
    text = page(made_forecasts(forecasts=entries))
    for said in (
        "What big will score", "62.0", "55.0 to 70.0", ">usable<", ">weak<",
        '<td class="num">50.0</td>', "largest rung, r6: ",
        "Measured 80.0", "18.0 points too low, outside the interval",
        "A direction, not a number: the interval is 15 points wide.",
        "trend</b> 70.0, weight 75 %", "clusters</b> 50.0, weight 25 %",
        "No number at all from loss.",
        "cod-harness forecast out --ladder &#39;my ladder.yaml&#39;", "abababab", "gsm8k: a note",
    ):  # fmt: skip
        assert said in text, said


def test_the_title_fits_what_is_measured() -> None:
    measured = [made_entry(name, observed=0.6) for name in ("gsm8k", "math")]
    both = "What big was forecast to score, and what it scored"
    assert both in page(made_forecasts(forecasts=measured))
    assert both not in page(made_forecasts(forecasts=[measured[0], made_entry("math")]))


def test_groups_come_first_and_what_has_no_number_last() -> None:
    names = ["b", "gone", "a", "whole", "c"]
    entries = [abstained(one) if one == "gone" else made_entry(one) for one in names]
    document = made_forecasts(dict.fromkeys(names, made_task()), entries)
    assert [one["name"] for one in forecast_content(document, {})["benchmarks"]] == [
        "b", "a", "whole", "c", "gone",
    ]  # fmt: skip
    settings = msgspec.structs.replace(document.settings, groups={"whole": ("a", "b"), "not": ()})
    content = forecast_content(msgspec.structs.replace(document, settings=settings), {})
    assert [one["name"] for one in content["benchmarks"]] == ["whole", "c", "b", "a", "gone"]
    (target,) = content["targets"]
    assert [row["task"] for row in target["rows"]] == ["whole", "c", "gone"]
    assert [row["task"] for row in target["rows"][0]["parts"]] == ["b", "a"]
    assert target["summary"].startswith("3 benchmarks: 2 usable")
    assert content["menu"] == [("", ["whole", "c", "gone"]), ("whole", ["b", "a"])]


def test_groups_within_groups_are_folded_once() -> None:
    names = ["all", "half", "a", "b", "twin"]
    document = made_forecasts(dict.fromkeys(names, made_task()))
    groups = {"all": ("a", "b"), "half": ("a",), "twin": ("a", "b")}
    settings = msgspec.structs.replace(document.settings, groups=groups)
    content = forecast_content(msgspec.structs.replace(document, settings=settings), {})
    rows = content["targets"][0]["rows"]
    assert [row["task"] for row in rows] == ["all"]
    assert {row["task"] for row in rows[0]["parts"]} == {"half", "a", "b", "twin"}


def test_on_the_ladder_the_band_is_what_the_rungs_leave_open() -> None:
    task = made_task()
    for number, rung in enumerate(task["rungs"]):
        task["curve"]["points"][number][1] = rung["accuracy"] + (0.05 if number == 2 else 0.0)
    drawn = {point.compute: point for point in course(made_summary(task))}
    for number, rung in enumerate(task["rungs"]):
        point, bar = drawn[rung["compute"]], SD_OF_90 * rung["stderr"]
        high = rung["accuracy"] + (0.05 if number == 2 else bar)
        assert (point.low, point.high) == (
            pytest.approx(rung["accuracy"] - bar), pytest.approx(high),
        )  # fmt: skip
    goal = drawn[1e25]  # beyond it, the forecast's interval
    assert [goal.mean, goal.low, goal.high] == task["curve"]["points"][-1][1:]
    assert list(drawn) == sorted(drawn)
    assert course(made_summary(empty_task())) == []


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1e18, 1e23, [1e18, 1e19, 1e20, 1e21, 1e22, 1e23]),
        (2e21, 9e21, [2e21, 3e21, 4e21, 5e21, 6e21, 7e21, 8e21, 9e21]),
        (2e21, 3e22, [2e21, 5e21, 1e22, 2e22]),
        (2.01e21, 2.31e21, [2.1e21, 2.2e21, 2.3e21]),
        (2.011e21, 2.012e21, [2.01e21, 2.01e21]),
    ],
)
def test_ticks_whatever_the_span(low: float, high: float, said: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(said)


def test_a_page_asks_nothing_of_the_network() -> None:
    text = page(made_forecasts())
    page_own = re.sub(r"<script>\(\(\)=>\{.*?\}\)\(\);</script>", "", text, count=1, flags=re.S)
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page_own)
    assert "default-src 'none'" in text
    assert "@import" not in page_own and "url(" not in page_own


def test_names_cannot_break_out() -> None:
    nasty = "</script><script>alert(1)</script>"
    task = made_task()
    task["clusters"][2]["reason"] = nasty
    text = page(made_forecasts({nasty: task}), {nasty: {"q0a": nasty}})
    assert nasty not in text


def test_charts_pass_altairs_own_checks() -> None:
    from altair.utils.schemapi import debug_mode

    from cod_harness.report.charts.forecast import task_charts

    with debug_mode(True):
        charts = task_charts(
            made_summary(made_task()), [made_forecast("t", observed=0.6), made_forecast("t", "exp")]
        )
        for chart in charts.values():
            chart.to_dict()
    assert list(charts) == ["accuracy", "clusters", "questions", "mapping", "deciles"]


def test_every_number_drawn_is_the_documents() -> None:
    [spec] = specs(page(made_forecasts({"t": made_task()}))).values()
    rows = [row for text in spec["accuracy"]["datasets"].values() for row in json.loads(text)]
    rungs = {row["model"]: row["accuracy"] for row in rows if row.get("model", "").startswith("r")}
    assert rungs == {
        rung["name"]: round(100 * rung["accuracy"], 2) for rung in made_task()["rungs"]
    }


@pytest.mark.parametrize("entries", [[abstained("t")], [made_entry("t")]])
def test_a_task_with_nothing_to_draw(entries: list[dict[str, Any]]) -> None:
    text = page(made_forecasts({"t": empty_task()}, entries))
    assert specs(text) == {"t": {}}


def test_laws_that_do_not_exist() -> None:
    task = made_task()
    for cluster in task["clusters"]:
        cluster.update(g=None, a=None, b=None, c=None)
    task["clusters"][0].update(g=0.0, a=1e300, b=9.0, c=0.0)
    assert "t" in specs(page(made_forecasts({"t": task})))


def test_a_document_of_an_older_version() -> None:
    task = made_task()
    del task["map"], task["curve"], task["quality"]
    for cluster in task["clusters"]:
        del cluster["examples"]
    document = made_document({"t": task})
    for key in ("rates_hash", "command", "clusters_from"):
        del document["settings"][key]
    read = msgspec.convert(document, Forecasts)
    assert set(specs(page(read))["t"]) == {"accuracy", "clusters", "mapping"}


def test_large_benchmarks_make_no_large_page() -> None:
    tasks = {f"task{number}": made_task(12_000, 300) for number in range(8)}
    assert len(page(made_forecasts(tasks)).encode()) < LIMIT


def test_the_map_counts_every_question_once() -> None:
    random = np.random.default_rng(0)
    rates = random.random((12_000, 8)) * random.random((12_000, 1))
    rates[:50] = 0
    labels = random.integers(-1, 12, 12_000)
    picture = question_map(rates, labels)
    assert len(picture.cells) <= CELLS
    assert sum(cell[3] for cell in picture.cells) == 12_000
    assert sum(cell[3] for cell in picture.cells if cell[2] == -2) == 50
    shuffled = random.permutation(12_000)
    assert question_map(rates[shuffled], labels[shuffled]) == picture
    assert question_map(np.zeros((0, 5)), labels[:0]).cells == ()


def test_how_far_to_trust_a_forecast() -> None:
    assert reading.trust(made_forecast("t")) == "To be used with its interval, 15 points wide."
    none = msgspec.convert(abstained("t"), TaskForecast)
    assert reading.trust(none) == "No number: the rungs are at chance."
    weak = made_forecast("t", verdict="weak", reasons=["few rungs", "a far target"])
    assert reading.trust(weak) == "A direction, not a number: few rungs. 1 more reason below."
    told = "A direction, not a number: few rungs. A far target."
    assert reading.trust(weak, brief=False) == told


def test_what_is_measured_is_counted() -> None:
    made = [made_forecast("a", observed=0.6), made_forecast("b", observed=0.9), made_forecast("c")]
    gone = msgspec.convert(abstained("d") | {"observed": 0.5}, TaskForecast)
    assert reading.summary([*made, gone]) == (
        "4 benchmarks: 3 usable, 0 weak, 1 not forecast. Measured by now: 3, of which 2 were "
        "forecast; mean error 15.0 points, largest 28.0, 1 of 2 inside the 90 % intervals."
    )
    assert reading.summary([gone]).endswith("1 not forecast. Measured by now: 1.")
    assert reading.summary(made[2:]) == "1 benchmark: 1 usable, 0 weak."


def test_markdown_for_a_model_card() -> None:
    entries = [made_entry("a|b", observed=0.6), made_entry("a|b", "exp"), abstained("c")]
    text = markdown(made_forecasts({"a|b": made_task(), "c": made_task()}, entries))
    assert "| a\\|b | 62.0 | 55.0 to 70.0 | usable | 60.0 | 62.0 |" in text
    assert "- **c**: No number: the rungs are at chance." in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_charts_as_files(kind: str, tmp_path: Path) -> None:
    document = made_forecasts({"a/b": made_task()}, [made_entry("a/b")])
    written = write_charts(document, tmp_path, kind)
    assert [path.name for path in written] == [
        f"a_b_{name}.{kind}" for name in ("accuracy", "clusters", "questions", "mapping", "deciles")
    ]
    for path in written:
        start = path.read_bytes()[:8]
        assert start.startswith(b"\x89PNG" if kind == "png" else b"<svg")
        assert b"var(--" not in path.read_bytes()
    # Nothing is overwritten, and where one file is there none is written.
    written[0].write_text("mine")
    before = [path.read_bytes() for path in written]
    written[1].unlink()
    with pytest.raises(InputError, match="exists already"):
        write_charts(document, tmp_path, kind)
    assert not written[1].exists()
    assert [path.read_bytes() for path in (written[0], *written[2:])] == [before[0], *before[2:]]


def test_two_tasks_never_share_a_picture(tmp_path: Path) -> None:
    tasks = ["a/b", "a_b", "A b", "x" * 250, "x" * 251]
    document = made_forecasts({task: made_task() for task in tasks}, [made_entry("a/b")])
    written = write_charts(document, tmp_path, "svg")
    assert len(written) == len({str(path).lower() for path in written}) == 5 * len(tasks)
    assert all(path.exists() for path in written)


def test_question_texts_come_only_when_asked_for(tmp_path: Path) -> None:
    document = made_forecasts({"t": made_task()})
    log = tmp_path / "samples_t_2026-11-22T10-00-00.000001.jsonl"
    answered = {"resps": [["7"]], "filter": "none"}
    samples = [
        {"doc_hash": "q0a" + "0" * 61, "doc": {"question": "How  many\nsheep?"}, **answered},
        {"doc_hash": "other", "doc": {"question": "no"}, **answered},
    ]
    log.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    texts = question_texts(document, [tmp_path])
    assert texts == {"t": {"q0a": "How many sheep?"}}
    assert "How many sheep?" in json.dumps(specs(page(document, texts)))
    assert "How many sheep?" not in json.dumps(specs(page(document)))
    log.write_text("{\n")
    with pytest.raises(InputError, match="none of the forecast's questions"):
        question_texts(document, [log])
    with pytest.raises(InputError, match="none of the forecast's questions"):
        question_texts(made_forecasts({"u": made_task()}), [tmp_path])


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = tmp_path / "cod_forecast_2026.json"
    document.write_text(json.dumps(made_document()))
    assert main(["report", str(document)]) == 0
    [made] = tmp_path.glob("cod_report_*.html")
    assert made.name in capsys.readouterr().err
    assert main(["report", str(tmp_path), "-o", str(made)]) == 2  # nothing is overwritten
    assert "exists already" in capsys.readouterr().err
    assert main(["report", str(tmp_path), "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("### Forecast for big (1e25 FLOP)")
    assert main(["--quiet", "report", str(tmp_path), "-o", str(tmp_path / "x.html")]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        ("[1]", "its `schema` is None"),
        ('{"schema": "x"}', "its `schema` is 'x', not cod-forecast/1"),
        ("{", ":1: no JSON"),
        ("\x00\x01", "no JSON"),
    ],
)
def test_what_is_no_document(
    content: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "f.json"
    if content is not None:
        path.write_text(content)
    assert main(["report", str(path)]) == 2
    error = capsys.readouterr().err
    assert said in error and str(path) in error and len(error.splitlines()) == 1


def test_a_document_with_a_wrong_value_names_the_place(tmp_path: Path) -> None:
    from cod_harness.documents.reading import read_document

    document = made_document()
    document["forecasts"][1]["mean"] = 62
    path = tmp_path / "f.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"f.json: .* <= 1.0 - at `\$.forecasts\[1\].mean`; write"):
        read_document(path)


def test_a_missing_package_is_named_and_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    assert page_beside(made_forecasts(), tmp_path) is None
    assert "pip install" in capsys.readouterr().err
    with pytest.raises(InputError, match="pip install 'altair"):
        page(made_forecasts())


def test_nothing_of_it_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, cod_harness, cod_harness.cli; "
        "print([m for m in ('altair', 'jinja2', 'vl_convert', 'rich', 'tqdm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_page_beside_is_written_whole(tmp_path: Path) -> None:
    path = write_page(made_forecasts(), tmp_path)
    assert path.name.startswith("cod_report_") and path.read_text().rstrip().endswith("</html>")
    assert charts_of(made_forecasts()).keys() == {"gsm8k", "math"}


def test_the_page_of_a_backtest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from cod_harness.documents.reading import read_document

    path = tmp_path / "b.json"
    path.write_text(json.dumps(made_backtest()))
    text = page(read_document(path).record)
    assert "cod was 5.0 points off on average, 10.0 at worst" in text
    assert "but 6 forecasts are too few to judge intervals by" in text
    assert list(specs(text)["backtest"]) == ["means", "errors", "held", "tasks"]
    assert main(["report", str(path), "--markdown"]) == 2
    assert "is a backtest; give a forecast" in capsys.readouterr().err


def test_a_method_without_any_number_leaves_the_backtests_table() -> None:
    from cod_harness.report.text.backtest_table import backtest_table

    made = made_backtest()
    silent = [
        row | {"method": "loss", "forecast": None, "low": None, "high": None, "error": None,
               "verdict": "abstain", "reasons": ["no losses"]}
        for row in made["rows"] if row["method"] == "cod"
    ]  # fmt: skip
    rows = msgspec.convert([*made["rows"], *silent], list[BacktestRow])
    methods = ["cod", "exp", "loss"]
    record = msgspec.structs.replace(
        msgspec.convert(made, Backtest), rows=tuple(rows), summary=summaries(rows, methods)
    )
    assert record.speaking == ["cod", "exp"]
    for text in (page(record), backtest_table(record, by=("task",))):
        assert text.count("No number at all from loss.") == 1
        assert text.replace("No number at all from loss.", "").count(">loss<") == 0
        assert "|loss" not in text
    assert "loss" not in json.dumps(specs(page(record)))


def test_several_targets_and_amounts_of_compute() -> None:
    entries = [made_entry("gsm8k", target=f"{n}e+24 FLOP", compute=n * 1e24) for n in range(1, 6)]
    text = page(made_forecasts(forecasts=entries))
    assert "Forecasts for 5 amounts of compute" in text
    assert text.count("<details open>") == 1
