"""Hand-written documents in the published schemas, and answers with their scores counted by hand.

Every answer stands beside 1 (right) or 0 (wrong) by the rules of the benchmark's own scorer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

Documents = list[dict[str, Any]]
Answers = list[tuple[str, int]]


@dataclass
class Benchmark:
    """One task.

    splits: the data, by split. answers: part of a prompt -> 8 answers with scores by hand.
    choices: the same -> log-likelihoods of the choices. rates: the same -> the rate by hand.
    """

    task: str
    splits: dict[str, Documents]
    answers: dict[str, Answers]
    choices: dict[str, dict[str, float]]
    rates: dict[str, float]
    filter: str = "none"
    metric: str = "exact_match"


def generating(
    task: str,
    splits: dict[str, Documents],
    answers: dict[str, Answers],
    filter: str = "none",
    metric: str = "exact_match",
) -> Benchmark:
    rates = {part: sum(right for _, right in told) / 8 for part, told in answers.items()}
    return Benchmark(task, splits, answers, {}, rates, filter, metric)


GSM8K = generating(
    "cod_gsm8k",
    {
        "test": [
            {"question": "Janet sells 9 eggs at $2 each. How much?", "answer": "9*2=18\n#### 18"},
            {"question": "A town has 1018 people. How many?", "answer": "As told.\n#### 1,018"},
        ]
    },
    {
        "Janet sells": [
            (" 9 times 2 is 18. The answer is 18.", 1),
            (" The answer is 18, of course.", 1),
            (" The answer is 17. No: The answer is 18.", 0),  # the first match counts
            (" The answer is $18.", 0),  # no digit after "is"
            (" the answer is 18.", 0),
            (" 18", 0),
            (" The answer is 18.00.", 0),  # compared as text
            (" The answer is 18.\n\nQ: What next? The answer is 3.", 1),
        ],
        "A town has": [
            (" The answer is 1018.", 1),
            (" The answer is 1,018.", 1),
            (" The answer is 1018 people.", 1),
            (" The answer is 1,018", 0),  # the pattern wants one more character: 1,01
            (" The answer is 1 018.", 0),
            ("", 0),
            (" I cannot tell.", 0),
            (" The answer is 1018!", 1),
        ],
    },
    filter="strict-match",
)

_HALF = r"We get $x = \frac{2}{4} = \boxed{\frac{1}{2}}$."
_SAID = "Final Answer: The final answer is ${}$. I hope it is correct."
MATH_SUBSETS = (
    "algebra counting_and_prob geometry intermediate_algebra num_theory prealgebra precalc".split()
)


def math_subset(subset: str) -> Benchmark:
    return generating(
        f"cod_math_{subset}",
        {
            "train": [],
            "test": [
                {
                    "problem": f"A {subset} problem: solve $2x=1$.",
                    "level": "Level 1",
                    "type": "Algebra",
                    "solution": _HALF,
                },
                {
                    "problem": f"Another {subset} problem: where is $x \\ge 2$?",
                    "level": "Level 2",
                    "type": "Algebra",
                    "solution": r"It is $\boxed{[2,\infty)}$.",
                },
            ],
        },
        {
            f"A {subset} problem": [
                (_SAID.format(r"\frac{1}{2}"), 1),
                (_SAID.format(r"\frac12"), 1),
                (_SAID.format(r"\dfrac{2}{4}"), 1),
                (_SAID.format("0.5"), 1),
                (r"Clearly $\boxed{1/2}$.", 1),
                (_SAID.format(r"\frac{1}{3}"), 0),
                ("I do not know.", 0),
                ("", 0),
            ],
            f"Another {subset} problem": [
                (_SAID.format(r"[2,\infty)"), 1),
                (_SAID.format(r"[2, \infty)"), 1),
                (_SAID.format(r"(2,\infty)"), 0),
                (_SAID.format("2"), 0),
                (_SAID.format(r"\left[2,\infty\right)"), 1),
                (_SAID.format(r"(-\infty,2]"), 0),
                ("There is none.", 0),
                (r"$\boxed{[2,\infty)}$", 1),
            ],
        },
        metric="math_verify",
    )


BBH_SUBSETS = (
    "boolean_expressions causal_judgement date_understanding disambiguation_qa dyck_languages "
    "formal_fallacies geometric_shapes hyperbaton logical_deduction_five_objects "
    "logical_deduction_seven_objects logical_deduction_three_objects movie_recommendation "
    "multistep_arithmetic_two navigate object_counting penguins_in_a_table "
    "reasoning_about_colored_objects ruin_names salient_translation_error_detection snarks "
    "sports_understanding temporal_sequences tracking_shuffled_objects_five_objects "
    "tracking_shuffled_objects_seven_objects tracking_shuffled_objects_three_objects web_of_lies "
    "word_sorting"
).split()
_TARGETS = {
    "boolean_expressions": "True",
    "causal_judgement": "Yes",
    "dyck_languages": "] ) }",
    "formal_fallacies": "invalid",
    "multistep_arithmetic_two": "-13",
    "navigate": "No",
    "object_counting": "7",
    "sports_understanding": "yes",
    "web_of_lies": "Yes",
    "word_sorting": "apple bee cat",
}


def bbh_subset(subset: str) -> Benchmark:
    target = _TARGETS.get(subset, "(B)")
    asked = f"This is asked of {subset}"
    return generating(
        f"cod_bbh_{subset}",
        {"test": [{"input": asked, "target": target}]},
        {
            asked: [
                (f"It is so. So the answer is {target}.", 1),
                (f"So the answer is {target}", 0),  # the pattern takes the last character away
                (f"So the answer is {target}.\nMore words", 1),
                ("So the answer is something else.", 0),
                (f"The answer is {target}.", 0),  # a capital letter
                (f"So the answer is {target}!", 1),
                ("I cannot say.", 0),
                (f"{target}", 0),
            ]
        },
        filter="get-answer",
    )


def _trivia(number: int, question: str, value: str, aliases: list[str]) -> dict[str, Any]:
    pages: dict[str, list[str]] = {
        "doc_source": [],
        "filename": [],
        "title": [],
        "wiki_context": [],
    }
    found: dict[str, list[Any]] = {"description": [], "filename": [], "rank": [], "title": []}
    return {
        "question": question,
        "question_id": f"tc_{number}",
        "question_source": "http://www.example.com/",
        "entity_pages": pages,
        "search_results": {**found, "url": [], "search_context": []},
        "answer": {
            "aliases": aliases,
            "normalized_aliases": [alias.lower() for alias in aliases],
            "matched_wiki_entity_name": "",
            "normalized_matched_wiki_entity_name": "",
            "normalized_value": value.lower(),
            "type": "WikipediaEntity",
            "value": value,
        },
    }


TRIVIAQA = generating(
    "cod_triviaqa",
    {
        "train": [_trivia(n, f"What is number {n}", str(n), [str(n), f"No {n}"]) for n in range(6)],
        "validation": [
            _trivia(
                7,
                "Which American won the prize in 1930",
                "Sinclair Lewis",
                ["Sinclair Lewis", "Harry Sinclair Lewis", "(Harry) Sinclair Lewis"],
            ),
            _trivia(8, "Which planet is red", "Mars", ["Mars", "Planet Mars", "♂ (planet)"]),
        ],
    },
    {
        "Which American": [
            (" Sinclair Lewis", 1),
            (" sinclair lewis", 1),
            (" Harry Sinclair Lewis", 1),
            ("Sinclair Lewis", 1),
            (' "Sinclair Lewis"', 1),  # punctuation does not count
            (" Lewis", 0),
            (" Upton Sinclair", 0),
            ("", 0),
        ],
        "Which planet": [
            (" Mars", 1),
            (" planet mars", 1),
            (" MARS!", 1),
            (" Venus", 0),
            (" Mars and Venus", 0),
            (" The planet Mars", 0),
            (" Mar", 0),
            ("  Mars", 1),
        ],
    },
    filter="remove_whitespace",
)

MBPP = generating(
    "cod_mbpp",
    {
        "test": [
            {
                "task_id": 11,
                "text": "Write a python function to double a number.",
                "code": "def double(n):\r\n    return 2 * n",
                "test_list": [
                    "assert double(2) == 4",
                    "assert double(0) == 0",
                    "assert double(-3) == -6",
                ],
                "test_setup_code": "",
                "challenge_test_list": [],
            }
        ]
    },
    {
        "double a number": [
            ("def double(n):\n    return 2 * n\n", 1),
            ("import math\ndef double(n):\n    print(n)\n    return int(math.fsum([n, n]))", 1),
            ("def double(n):\n    return n ** 2", 0),
            ("def double(n):\n    while True:\n        pass", 0),
            ("import sys\nsys.exit(0)", 0),
            ("def double(n)\n    return 2 * n", 0),
            ("import socket\nsocket.socket()\ndef double(n):\n    return 2 * n", 0),
            ("x = bytearray(8 << 30)\ndef double(n):\n    return 2 * n", 0),
        ]
    },
    metric="pass_at_1",
)


def _drop(number: int, question: str, answer: Any, others: list[Any]) -> dict[str, Any]:
    return {
        "section_id": "nfl_1",
        "query_id": f"q{number}",
        "passage": "The Raiders scored in July 1990 with Chaz Schilens, 3 times.",
        "question": question,
        "answer": {**answer, "worker_id": "", "hit_id": ""},
        "validated_answers": {
            "number": [one["number"] for one in others],
            "date": [one["date"] for one in others],
            "spans": [one["spans"] for one in others],
            "worker_id": [""] * len(others),
            "hit_id": [""] * len(others),
        },
    }


def _said(
    number: str = "", spans: tuple[str, ...] = (), date: tuple[str, str, str] = ("", "", "")
) -> dict[str, Any]:
    day, month, year = date
    return {
        "number": number,
        "date": {"day": day, "month": month, "year": year},
        "spans": list(spans),
    }


DROP = generating(
    "cod_drop",
    {
        "train": [
            _drop(n, f"How many are {n}?", _said(str(n), ("one",)), [_said(spans=("one", "two"))])
            for n in range(4)
        ],
        "validation": [
            _drop(11, "Who scored?", _said(spans=("Chaz Schilens",)), [_said(spans=("Schilens",))]),
            _drop(12, "How often did they?", _said("3"), [_said("3")]),
            _drop(13, "When was that?", _said(date=("", "July", "1990")), []),
        ],
    },
    {
        "Who scored?": [
            (" Chaz Schilens", 1),
            (" chaz schilens", 1),
            (" the Chaz Schilens", 1),  # articles do not count
            (" Schilens", 1),  # another annotator's answer
            (" Chaz", 0),
            (" Chaz Schilens of the Raiders", 0),  # f1 would give part of a point
            ("", 0),
            (" Nobody", 0),
        ],
        "How often did they?": [
            (" 3", 1),
            (" 3.0", 1),
            (" three", 0),
            (" 3 times", 0),
            (" 4", 0),
            ("3", 1),
            (" 30", 0),
            (" 2 or 3", 0),
        ],
        "When was that?": [
            (" July 1990", 1),
            (" july 1990", 1),
            (" 1990", 0),
            (" July, 1990", 1),
            (" in July 1990", 0),
            (" 1990 July", 0),
            (" June 1990", 0),
            (" July", 0),
        ],
    },
    metric="em",
)

MMLU_PRO_SUBSETS = (
    "biology business chemistry computer_science economics engineering health history law math "
    "other philosophy physics psychology"
).split()


def mmlu_question(number: int, category: str, question: str) -> dict[str, Any]:
    return {
        "question_id": number,
        "question": question,
        "options": [f"option {n}" for n in range(10)],
        "answer": "B",
        "answer_index": 1,
        "cot_content": "A: Let's think step by step. It is so. The answer is (B).",
        "category": category,
        "src": "hand",
    }


def mmlu_pro_subset(subset: str) -> Benchmark:
    category = subset.replace("_", " ")
    asked = f"What is true in {category}?"
    # The data set is one for all categories: each task picks its own out of it.
    return generating(
        f"cod_mmlu_pro_{subset}",
        {
            "validation": [mmlu_question(n, category, f"Example {n}?") for n in range(5)],
            "test": [
                mmlu_question(9, category, asked),
                mmlu_question(10, "another", "Not asked at all?"),
            ],
        },
        {
            asked: [
                (" It is so. The answer is (B).", 1),
                (" the answer is B", 1),
                (" The answer is (B), for A is wrong.", 1),
                (" The answer is (C). No, the answer is (B).", 0),
                (" Answer: B", 0),
                (" The answer is (b).", 0),
                (" The answer is option 1.", 0),
                ("", 0),
            ]
        },
        filter="custom-extract",
    )


AGIEVAL_GENERATING = ("gaokao_mathcloze", "math")
AGIEVAL_CHOICE = (
    "aqua_rat gaokao_biology gaokao_chemistry gaokao_chinese gaokao_english gaokao_geography "
    "gaokao_history gaokao_mathqa gaokao_physics jec_qa_ca jec_qa_kd logiqa_en logiqa_zh lsat_ar "
    "lsat_lr lsat_rc sat_en sat_en_without_passage sat_math"
).split()


def agieval_choice(subset: str) -> Benchmark:
    """Log-likelihoods of 1/2, 1/4, 1/8 and 1/8: softmax gives those back."""
    shares = {"(A)one": 0.5, "(B)two": 0.25, "(C)three": 0.125, "(D)four": 0.125}
    golds = [[1], [0, 2], [0], [3], [1, 2, 3], [2]]
    rates = [0.25, 0.625, 0.5, 0.125, 0.5, 0.125]
    asked = [f"[{subset}] question {n}" for n in range(6)]
    documents = [
        {
            "query": f"Q: {question} Answer Choices: one to four",
            "choices": list(shares),
            "gold": gold,
        }
        for question, gold in zip(asked, golds, strict=True)
    ]
    lls = {choice: math.log(share) for choice, share in shares.items()}
    choices = dict.fromkeys(asked, lls)
    told = dict(zip(asked, rates, strict=True))
    return Benchmark(f"cod_agieval_{subset}", {"test": documents}, {}, choices, told, "none", "acc")


def agieval_generating(subset: str) -> Benchmark:
    asked = [f"[{subset}] question {n}" for n in range(6)]
    first: Answers = [
        # Outside of $...$ the harness's scorer compares the last numbers, here with 2.
        (r"\frac{1}{2}", 1),
        (r"\frac12", 0),
        ("0.5", 0),
        (r"\dfrac{1}{2}", 1),
        ("1/2", 1),
        (r"\frac{1}{3}", 0),
        ("half", 0),
        ("", 0),
    ]
    plain: Answers = [("7", 1), (" 7", 1), ("7 ", 1), ("8", 0), ("77", 0), ("7.", 1)]
    plain += [("x=7", 1), ("seven", 0)]
    documents = [
        {"query": f"Q: {question}\nA: The answer is", "answer": r"\frac{1}{2}" if n == 0 else "7"}
        for n, question in enumerate(asked)
    ]
    answers = {question: first if n == 0 else plain for n, question in enumerate(asked)}
    return generating(f"cod_agieval_{subset}", {"test": documents}, answers, metric="acc")


def suite() -> list[Benchmark]:
    """Every task of `cod_suite`."""
    return [
        *(GSM8K, TRIVIAQA, MBPP, DROP),
        *map(math_subset, MATH_SUBSETS),
        *map(bbh_subset, BBH_SUBSETS),
        *map(mmlu_pro_subset, MMLU_PRO_SUBSETS),
        *map(agieval_choice, AGIEVAL_CHOICE),
        *map(agieval_generating, AGIEVAL_GENERATING),
    ]
