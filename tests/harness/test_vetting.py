"""Samples of somebody else are scored without running code that nobody vetted."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from cod_harness.errors import InputError
from cod_harness.harness.ingest.ingest import ingest
from cod_harness.harness.ingest.rescoring import TaskSource
from cod_harness.harness.scoring.task_source import definition, harness_tasks, named, task_files
from cod_harness.harness.scoring.vetting import CONSENT_FLAG, VETTED, unvetted
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.task_folder import task_folder


@pytest.mark.parametrize(
    "name", ["eq_bench", "afrimmlu_direct_amh_prompt_1", "non_greedy_robustness_math_algebra"]
)
def test_stock_tasks_that_evaluate_strings_need_consent(name: str) -> None:
    path = named(name, ())
    if path is None:
        pytest.skip(f"this lm_eval has no {name}")
    assert unvetted(path)
    with pytest.raises(InputError, match=CONSENT_FLAG):
        TaskSource().rebuilt(name, {})


def test_no_vetted_module_evaluates() -> None:
    """In the harness that is installed: versions move."""
    evaluating = ("eval(", "parse_expr(", "sympify(", "exec(", "pickle.load")
    for name in VETTED:
        folder, _, function = name.partition("/")
        module = harness_tasks() / folder / f"{function.split('.')[0]}.py"
        text = module.read_text(encoding="utf-8")
        for word in evaluating:
            assert f" {word}" not in text and f"({word}" not in text, (name, word)


@pytest.mark.parametrize("path", sorted(task_files(task_folder()).values()), ids=lambda p: p.stem)
def test_what_ships_is_vetted(path: Path) -> None:
    assert unvetted(path) == ""


HOSTILE = (
    "__import__('os').system('touch {mark}')",
    "$__import__('os').system('touch {mark}')$",
    "\\boxed{{__import__('os').system('touch {mark}')}}",
    "Final Answer: The final answer is $open('{mark}', 'w')$. I hope it is correct.",
    "\\boxed{{\\operatorname{{open}}('{mark}', 'w')}}",
    "(2)+__import__('pathlib').Path('{mark}').touch()",
    "[].__class__.__base__.__subclasses__()",
    "{{{{ ''.__class__ }}}}",
)


@pytest.mark.parametrize("name", sorted(n for n in VETTED if n.split("/")[0] not in
                                        ("mbpp", "humaneval")))  # fmt: skip
def test_vetted_functions_evaluate_nothing(name: str, tmp_path: Path) -> None:
    """Programs of mbpp and humaneval are run, in the sandbox: tests of their own."""
    import importlib

    folder, module, function = name.replace("/", ".").split(".")
    if folder == "minerva_math":
        pytest.importorskip("math_verify")
    called = getattr(importlib.import_module(f"lm_eval.tasks.{folder}.{module}"), function)
    mark = tmp_path / "mark"
    for form in HOSTILE:
        text = form.format(mark=mark)
        document: dict[str, Any] = {
            **dict.fromkeys(("problem", "solution", "answer", "query", "question"), text),
            **{"answers": [(text,)], "gold": [0], "choices": [text], "options": [text]},
        }
        for results in ([text], [(0.0, True)]):
            with contextlib.suppress(Exception):  # a text may well be refused
                called(document, results) if "results" in function else called(document)
        assert not mark.exists(), (name, text)


def _task(folder: Path, **more: Any) -> Path:
    path = folder / "mine.yaml"
    lines = {
        "task": "mine",
        "dataset_path": "json",
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "exact_match"}],
        "repeats": 2,
        **more,
    }
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items())
    for function in ("scorer.run", "evil.load"):
        text = text.replace(f'"!{function}"', f"!function {function}")
    path.write_text(text)
    return path


DOCUMENT = {"question": "1+1", "answer": "2"}


def test_a_folder_of_plain_definitions_needs_no_consent(tmp_path: Path) -> None:
    assert unvetted(_task(tmp_path)) == ""
    assert TaskSource([tmp_path]).rebuilt("mine", DOCUMENT) is not None


@pytest.mark.parametrize(
    "more",
    [
        {"process_results": "!scorer.run"},
        {"process_docs": "!scorer.run"},
        {"metric_list": [{"metric": "!scorer.run"}]},
        {"filter_list": [{"name": "x", "filter": [{"function": "custom",
                                                   "filter_fn": "!scorer.run"}]}]},
        {"class": "!scorer.run"},
        {"metric_list": [{"metric": "./scorer"}]},
        {"metric_list": [{"metric": "exact_match", "hf_evaluate": True}]},
    ],
)  # fmt: skip
def test_functions_of_include_path_are_not_loaded(more: dict[str, Any], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    (tmp_path / "scorer.py").write_text(f"open({str(mark)!r}, 'w')\ndef run(*_): return {{}}\n")
    _task(tmp_path, **more)
    with pytest.raises(InputError, match=CONSENT_FLAG):
        TaskSource([tmp_path]).rebuilt("mine", DOCUMENT)
    assert not mark.exists()


def test_functions_behind_includes_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("process_results: !function scorer.run\n")
    _task(tmp_path, include="other.yaml")
    assert "process_results" in unvetted(tmp_path / "mine.yaml")
    (tmp_path / "mine.yaml").write_text("task: mine\ninclude: mine.yaml\n")
    with pytest.raises(InputError, match="never end"):
        unvetted(tmp_path / "mine.yaml")


def test_templates_reach_nothing_but_the_document(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    reach = "{{ cycler.__init__.__globals__.os.system('touch MARK') }}".replace("MARK", str(mark))
    _task(tmp_path, doc_to_target=reach)
    with pytest.raises(InputError, match="cannot be built"):
        TaskSource([tmp_path]).rebuilt("mine", DOCUMENT)
    assert not mark.exists()


def test_consent_is_heeded_and_logged_scores_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "scorer.py").write_text("def run(doc, results): return {'exact_match': 1}\n")
    _task(tmp_path, process_results="!scorer.run")
    ladder = tmp_path / "l.yaml"
    ladder.write_text("ladder: x\nrungs:\n- {name: m, params: 1e6, tokens: 1e6}\n")
    runs = tmp_path / "runs"
    runs.mkdir()
    sample = {"doc_id": 0, "doc": DOCUMENT, "doc_hash": "h", "resps": [["2", "3"]],
              "filter": "none", "metrics": ["exact_match"], "exact_match": 1.0}  # fmt: skip
    path = runs / "samples_mine_2026-01-01T00-00-00.000000.jsonl"
    path.write_text(json.dumps(sample) + "\n")
    asked = dict(rung="m", include_paths=[tmp_path])
    plain = ingest([path], read_ladder(ladder), **asked)  # type: ignore[arg-type]
    assert list(plain.frame["n_samples"]) == [1]
    assert any(CONSENT_FLAG in note for note in plain.notes)
    agreed = ingest([path], read_ladder(ladder), task_code=True, **asked)  # type: ignore[arg-type]
    assert list(agreed.frame["n_samples"]) == [2]
    assert list(agreed.frame["rate"]) == [1.0]


def test_definitions_are_the_harness_s_own(tmp_path: Path) -> None:
    """Read without functions, a stock definition says what the harness reads."""
    from cod_harness.harness.scoring.vetting import raw_definition

    path = named("gsm8k", ())
    assert path is not None
    assert raw_definition(path)["doc_to_text"] == definition(path)["doc_to_text"]
