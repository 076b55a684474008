"""The questions the shipped models learn and are examined on."""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from cod_harness.demo import skills
from cod_harness.demo.families.programs import program_passes
from cod_harness.demo.lexicon import Zipf, name
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


@pytest.mark.parametrize("family", FAMILIES)
def test_questions_are_spread_evenly_over_the_logarithm_of_frequency(family: str) -> None:
    kinds = [kind.name for kind in skills.FAMILIES[family]]
    logs = sorted(
        math.log10(skills.frequency(family, kinds.index(q.kind), q.unit))
        for q in skills.benchmark(family)
    )
    assert logs[-1] - logs[0] > 4
    # The quarters of the questions are as wide as each other, apart from the few units at the top.
    quarters = [logs[i + 100] - logs[i] for i in (0, 100, 200)] + [logs[-1] - logs[300]]
    assert max(quarters[:3]) < 1.4 * min(quarters[:3])
    units = Counter((q.kind, q.unit) for q in skills.benchmark(family))
    assert max(units.values()) <= skills.QUESTIONS_PER_UNIT


def test_frequencies_in_training_span_more_than_five_orders_of_magnitude() -> None:
    for family, kinds in skills.FAMILIES.items():
        most = skills.frequency(family, 0, 0)
        least = min(skills.frequency(family, i, kind.units.n - 1) for i, kind in enumerate(kinds))
        assert most / least > 1e5


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


@pytest.mark.parametrize("family", FAMILIES)
def test_a_question_has_one_answer(family: str) -> None:
    """Whenever a benchmark's prompt is made again, by whatever kind, its answer is the same.

    Among rare words there are people's names: `max 69. max?` asks for a number or for a meaning.
    The benchmarks ask none of those.
    """
    answers: dict[str, set[str]] = {q.prompt: {q.answer} for q in skills.benchmark(family)}
    asked = set(answers)
    rng = random.Random("answers")
    for kind in skills.FAMILIES[family]:
        for _ in range(2_000):
            prompt, answer = kind.make(rng, kind.units.draw(rng))
            answers.setdefault(prompt, set()).add(answer)
    several = {prompt for prompt, found in answers.items() if len(found) > 1}
    assert not several & asked
    assert len(several) < 1e-3 * len(answers)


def test_no_two_questions_of_the_benchmarks_have_the_same_prompt() -> None:
    prompts = [q.prompt for family in FAMILIES for q in skills.benchmark(family)]
    assert len(set(prompts)) == len(prompts)


def test_every_common_unit_asked_is_taught_by_other_prompts() -> None:
    """What a benchmark holds back of a unit is a part of what can be asked about it."""
    rng = random.Random("prompts")
    for family in FAMILIES:
        kinds = {kind.name: kind for kind in skills.FAMILIES[family]}
        held = {q.prompt for q in skills.benchmark(family)}
        for kind, unit in {(q.kind, q.unit) for q in skills.benchmark(family)}:
            made = {kinds[kind].make(rng, unit)[0] for _ in range(200)}
            assert len(made & held) <= 0.4 * len(made), (kind, unit)


def test_the_stream_is_the_one_that_the_shipped_models_were_trained_on() -> None:
    seen = hashlib.sha256()
    for pair in islice(skills.training_pairs("train 1 0"), 5_000):
        seen.update(repr(pair).encode())
    assert seen.hexdigest() == "58ca5e064d5d7a7be55af3a630b1f3b61ec8858584bb627386e656f47eed93b3"


def test_training_draws_units_at_their_frequency() -> None:
    """Constants of algebra: the most frequent word, the second, and all the others together."""
    counts: Counter[str] = Counter()
    n = 0
    for prompt, _ in islice(skills.training_pairs("z"), 200_000):
        found = re.fullmatch(r"([a-z])[-+*]\1=([a-z]+)=", prompt)
        counts[found[2] if found else "other"] += 1
        n += 1
    share = 1 / len(FAMILIES)
    for rank in (0, 1, 5):
        word = name("constant", rank)
        expected = share * skills.frequency("algebra", 0, rank)
        assert counts[word] / n == pytest.approx(expected, rel=0.25)
    assert counts[name("constant", 0)] > counts[name("constant", 1)] > counts[name("constant", 9)]


def test_words_of_a_lexicon_are_all_different() -> None:
    words = [name("price", rank) for rank in range(50_000)]
    assert len(set(words)) == len(words)
    assert len(words[0]) < len(words[100]) < len(words[-1])


def test_drawn_ranks_follow_their_frequency() -> None:
    zipf, rng = Zipf(1000, 1.5), random.Random(1)
    counts = Counter(zipf.draw(rng) for _ in range(100_000))
    assert sum(zipf.frequency(rank) for rank in range(1000)) == pytest.approx(1.0)
    assert min(counts) == 0
    assert max(counts) <= 999
    for rank in (0, 1, 3, 10):
        assert counts[rank] / 100_000 == pytest.approx(zipf.frequency(rank), rel=0.1)
        assert zipf.rank_of(zipf.frequency(rank)) == rank


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
    assert program_passes(written, answer) is right


@pytest.mark.parametrize("family", FAMILIES)
def test_the_data_files_are_what_the_generator_writes(family: str) -> None:
    path: Path = task_folder() / "demo" / "data" / f"{family}.jsonl"
    assert path.read_text() == lines(family)


def test_each_family_is_a_task() -> None:
    assert sorted(TASKS.values()) == sorted(FAMILIES)
    for task in TASKS:
        assert (task_folder() / "demo" / f"{task}.yaml").exists()
