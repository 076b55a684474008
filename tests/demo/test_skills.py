"""The questions the shipped models learn and are examined on."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from cod_harness.demo import skills
from cod_harness.demo.tasks import TASKS, lines
from cod_harness.task_folder import task_folder

FAMILIES = list(skills.FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_benchmark_has_its_questions_once_each(family: str) -> None:
    questions = skills.benchmark(family)
    assert len({question.prompt for question in questions}) == skills.QUESTIONS_PER_BENCHMARK
    assert skills.QUESTIONS_PER_BENCHMARK >= 400


@pytest.mark.parametrize("family", FAMILIES)
def test_questions_are_written_in_the_alphabet(family: str) -> None:
    for question in skills.benchmark(family):
        assert set(question.prompt + question.answer) <= set(skills.ALPHABET) - {"\n"}
        assert question.answer


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "facts"])
def test_kinds_and_levels_are_asked_evenly(family: str) -> None:
    counts = Counter((q.kind, q.level) for q in skills.benchmark(family))
    assert set(counts) == {
        (kind.name, level)
        for kind in skills.FAMILIES[family]
        for level in range(1, kind.levels + 1)
    }
    # Cells with few possible questions give fewer; none is left out or dominates.
    assert max(counts.values()) <= 3 * sum(counts.values()) / len(counts)


def test_training_never_shows_a_benchmark_question() -> None:
    held_out = {q.prompt for family in FAMILIES for q in skills.benchmark(family)}
    seen = {prompt for prompt, _ in islice(skills.training_pairs("test"), 100_000)}
    assert len(seen) > 50_000
    assert not seen & held_out


def test_training_would_show_them_if_it_were_not_kept_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held_out = {q.prompt for family in FAMILIES for q in skills.benchmark(family)}
    monkeypatch.setattr(skills, "_held_out", frozenset)
    seen = {prompt for prompt, _ in islice(skills.training_pairs("test"), 20_000)}
    assert seen & held_out


def test_every_fact_asked_is_taught_in_another_form() -> None:
    taught = {answer_key(p) for p, _ in islice(skills.training_pairs("facts"), 200_000)}
    common = [q for q in skills.benchmark("facts") if q.level <= 5]
    assert all(answer_key(question.prompt) in taught for question in common)


def answer_key(prompt: str) -> frozenset[str]:
    """Entity and relation of a fact's prompt, whatever its form."""
    words = prompt.replace("'s", " ").strip("?").split()
    return frozenset(words) - {"of", "what", "has", "is"}


def test_the_training_stream_is_the_same_for_the_same_seed() -> None:
    first, again, other = (
        list(islice(skills.training_pairs(seed), 50)) for seed in ("1", "1", "2")
    )
    assert first == again != other


def test_frequencies_fall_as_a_zipf_law() -> None:
    counts = Counter(p.split()[0] for p, _ in islice(skills.training_pairs("z"), 100_000))
    assert counts["last"] > counts["sort"] > counts["cups"] > 0


@pytest.mark.parametrize(
    ("written", "answer", "right"),
    [
        ("x+3", "x+3", True),
        ("3+x", "x+3", True),
        ("x*2+x", "x*3", True),
        ("x-2+5", "x+3", True),
        ("x+4", "x+3", False),
        ("x+", "x+3", False),
        ("x**9", "x+3", False),
        ("__import__('os')", "x+3", False),
        ("y+3", "x+3", False),
        ("12", "12", True),
        ("6+6", "12", False),  # the output of a program is a value, not an expression
    ],
)
def test_a_program_is_right_if_it_computes_the_right_values(
    written: str, answer: str, right: bool
) -> None:
    assert skills.program_passes(written, answer) is right


@pytest.mark.parametrize("family", FAMILIES)
def test_the_data_files_are_what_the_generator_writes(family: str) -> None:
    path: Path = task_folder() / "demo" / "data" / f"{family}.jsonl"
    assert path.read_text() == lines(family)


def test_each_family_is_a_task() -> None:
    assert sorted(TASKS.values()) == sorted(FAMILIES)
    for task in TASKS:
        assert (task_folder() / "demo" / f"{task}.yaml").exists()
