"""How fast `cod-harness ingest` reads samples files, and how much memory it takes.

    python benchmarks/ingest.py --megabytes 1000 --files 1
    python benchmarks/ingest.py --megabytes 200 --rescore
    python benchmarks/ingest.py --math 1000

Files are made up in the harness's own form: 100 responses of about 900 characters a question,
under GSM8K's two filters. Prints one line a measurement.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import tempfile
import time
from pathlib import Path

from cod_harness.harness.ingest.ingest import ingest
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.read_ladder import read_ladder

_WORDS = "the of and so then we have that is it number total each buys gives eggs more than".split()


def response(generator: random.Random, answer: int) -> str:
    text = " ".join(generator.choices(_WORDS, k=180))
    return f" {text} {answer} * 2 = {2 * answer}.\nThe answer is {answer}.\n\n"


def make(path: Path, megabytes: float, per_repeat: bool) -> None:
    """A samples file of about this size."""
    generator = random.Random(0)
    size, number = 0, 0
    with path.open("w", encoding="utf-8") as stream:
        while size < megabytes * 1e6:
            answer = generator.randint(10, 99)
            given = [answer + generator.randint(0, 2) for _ in range(100)]
            responses = [response(generator, one) for one in given]
            for name in ("strict-match", "flexible-extract"):
                score = float(given[0] == answer)
                row = {
                    "doc_id": number,
                    "doc": {"question": f"Question {number}?", "answer": f"So.\n#### {answer}"},
                    "target": str(answer),
                    "arguments": {"gen_args_0": {"arg_0": "Q: " + "x" * 3000, "arg_1": {}}},
                    "resps": [responses],
                    "filtered_resps": [str(given[0])],
                    "filter": name,
                    "metrics": ["exact_match"],
                    "doc_hash": f"{number:064x}",
                    "prompt_hash": f"{number + 1:064x}",
                    "target_hash": f"{answer:064x}",
                    "exact_match": score,
                }
                if per_repeat:
                    row["scores_per_repeat"] = {"exact_match": [float(g == answer) for g in given]}
                size += stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            number += 1


def measured(folder: Path, ladder: Ladder, processes: int | None, queue: object) -> None:
    before = time.process_time()
    started = time.perf_counter()
    rates = ingest([folder], ladder, processes=processes)
    seconds = time.perf_counter() - started
    usage = [
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    busy = sum(one.ru_utime + one.ru_stime for one in times) - before
    queue.put((seconds, max(usage) / 1024, len(rates.frame), busy))  # type: ignore[attr-defined]


def reading(megabytes: float, files: int, rescore: bool, processes: int | None) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        ladder_file = root / "ladder.yaml"
        rungs = "".join(f"- {{name: m{n}, params: {n + 1}e6, tokens: 1e9}}\n" for n in range(files))
        ladder_file.write_text(f"ladder: made-up\nrungs:\n{rungs}")
        for n in range(files):
            folder = root / "out" / f"m{n}"
            folder.mkdir(parents=True)
            path = folder / "samples_gsm8k_cot_2026-01-01T00-00-00.000000.jsonl"
            make(path, megabytes / files, per_repeat=not rescore)
        size = sum(path.stat().st_size for path in root.rglob("*.jsonl"))
        # In a process of its own: peak memory is a process's.
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        arguments = (root / "out", read_ladder(ladder_file), processes, queue)
        worker = context.Process(target=measured, args=arguments)
        worker.start()
        seconds, peak, rows, spent = queue.get()
        worker.join()
        print(
            f"{'re-scored' if rescore else 'read'}: {size / 1e6:.0f} MB in {files} files, "
            f"{rows} questions: {seconds:.1f} s, {size / 1e6 / seconds:.0f} MB/s, "
            f"{size / 1e6 / spent:.0f} MB a second of one core's work; "
            f"largest process {peak:.0f} MB"
        )


def math_answers(count: int) -> None:
    """Time per 1,000 answers of MATH: as the harness scores them, and remembered."""
    from cod_harness.harness.scoring.symbolic import remembered_symbols
    from cod_harness.harness.scoring.task_source import definition, harness_tasks

    process = definition(harness_tasks() / "minerva_math/minerva_math_algebra.yaml")[
        "process_results"
    ]

    class Task:
        class config:
            process_results = staticmethod(process)

    generator = random.Random(0)
    results = [
        r"\frac{1}{2}",
        r"\frac{2}{4}",
        "0.5",
        r"\frac{1}{3}",
        "x^2+1",
        r"\sqrt{2}",
        "12",
        "-7",
    ]
    document = {
        "solution": r"Adding gives $2x = 1$, so $x = \boxed{\frac{1}{2}}$.",
        "answer": r"\frac{1}{2}",
    }
    answers = [
        f"Step {n}: "
        + " ".join(generator.choices(_WORDS, k=120))
        + f"\nFinal Answer: The final answer is ${generator.choice(results)}$. I hope it is right."
        for n in range(count)
    ]
    started = time.perf_counter()
    plain = [process(document, [answer]) for answer in answers]
    one = time.perf_counter() - started
    with remembered_symbols(Task):
        started = time.perf_counter()
        again = [process(document, [answer]) for answer in answers]
        two = time.perf_counter() - started
    assert plain == again
    print(
        f"MATH, {len(results)} different results: {one / count * 1000:.2f} s per 1,000 answers as "
        f"they come, {two / count * 1000:.2f} s remembered, one core; the scores are the same"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=float, default=0)
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--rescore", action="store_true")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--math", type=int, default=0, metavar="ANSWERS")
    asked = parser.parse_args()
    if asked.megabytes:
        reading(asked.megabytes, asked.files, asked.rescore, asked.processes)
    if asked.math:
        math_answers(asked.math)


if __name__ == "__main__":
    main()
