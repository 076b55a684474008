"""What the capture adds to a harness run, in milliseconds a document.

    python benchmarks/capture_overhead.py [--documents 200] [--repeats 100]

A GSM8K-like task (two filters, exact match, 8-shot prompts' length) is evaluated by the harness
with and without the capture, with a model that answers at once. Shown for two kinds of model: one
that gives about ten different answers a question, and one whose hundred answers all differ.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--documents", type=int, default=200)
    arguments.add_argument("--repeats", type=int, default=100)
    asked = arguments.parse_args()
    logging.disable(logging.WARNING)

    from cod_harness.harness.scoring import parallel

    print(f"{asked.documents} documents, {asked.repeats} repeats, {parallel.cores()} cores")
    print("                          time, s: alone / captured   added, ms a document")
    print("answers a question            wall         processor        wall   processor")
    for label, kinds in (("about 10", 10), (f"all {asked.repeats} differ", 10**9)):
        # The best of three: this machine may be doing other things.
        runs = {
            captured: [seconds(asked.documents, asked.repeats, kinds, captured) for _ in range(3)]
            for captured in (False, True)
        }
        alone, watched = (tuple(map(min, zip(*runs[c], strict=True))) for c in (False, True))
        added = [1000 * (w - a) / asked.documents for a, w in zip(alone, watched, strict=True)]
        print(
            f"{label:<20}   {alone[0]:>6.2f} / {watched[0]:<6.2f} {alone[1]:>6.2f} / "
            f"{watched[1]:<6.2f} {added[0]:>10.2f} {added[1]:>11.2f}"
        )
    return 0


def seconds(documents: int, repeats: int, kinds: int, watched: bool) -> tuple[float, float]:
    """Wall time and processor time (children's included) of one evaluation."""
    from lm_eval import evaluator

    from cod_harness.harness.capture.capture import Capture
    from cod_harness.harness.capture.flags import CaptureOptions
    from cod_harness.harness.capture.hooks import installed

    with tempfile.TemporaryDirectory() as folder:
        task = gsm_like(Path(folder), documents, repeats)
        ladder = Path(folder) / "ladder.yaml"
        ladder.write_text("ladder: x\nrungs:\n- {name: a, params: 1e6, tokens: 1e9}\n")
        call: dict[str, Any] = {"lm": model(kinds), "task_dict": {"gsm_like": task}}
        call |= {"bootstrap_iters": 0, "log_samples": False}
        started, busy = time.perf_counter(), processor_time()
        if watched:
            capture = Capture(CaptureOptions(ladder, rung="a"))
            with installed(capture):
                results = evaluator.evaluate(**call)
            about = results["cod"]["tasks"]["gsm_like"]
            assert (about["same_answer"], about["repeats"]) == (documents, repeats)
        else:
            evaluator.evaluate(**call)
        return time.perf_counter() - started, processor_time() - busy


def processor_time() -> float:
    """Seconds of processor this process and its finished children have used."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def gsm_like(folder: Path, documents: int, repeats: int) -> Any:
    """GSM8K's configuration on made-up documents of its length."""
    from lm_eval.api.task import ConfigurableTask

    data = folder / "gsm.jsonl"
    story = "Natalia sold clips to her friends in April, and then she sold half as many. " * 3
    rows = [{"question": f"{story}{at}?", "answer": f"So #### {at}"} for at in range(documents)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    regexes = {"strict-match": (r"The answer is (\-?[0-9\.\,]+).", 0)}
    regexes["flexible-extract"] = (r"(-?[$0-9.,]{2,})|(-?[0-9]+)", -1)
    task = ConfigurableTask(
        config={
            "task": "gsm_like",
            "dataset_path": "json",
            "dataset_kwargs": {
                "data_files": {"test": str(data)},
                "cache_dir": str(folder / "cache"),
            },
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "Q: {{question}}\nA:",
            "doc_to_target": "{{answer.split('####')[-1].strip()}}",
            "num_fewshot": 0,
            "repeats": repeats,
            "generation_kwargs": {"until": ["Q:"], "do_sample": True, "temperature": 1.0},
            "filter_list": [
                {
                    "name": name,
                    "filter": [
                        {"function": "regex", "regex_pattern": regex, "group_select": group},
                        {"function": "take_first"},
                    ],
                }
                for name, (regex, group) in regexes.items()
            ],
            "metric_list": [
                {
                    "metric": "exact_match",
                    "aggregation": "mean",
                    "higher_is_better": True,
                    "ignore_case": True,
                    "ignore_punctuation": False,
                    "regexes_to_ignore": [",", r"\$", r"(?s).*#### ", r"\.$"],
                }
            ],
        }
    )
    return task


def model(kinds: int) -> Any:
    """A harness model that answers at once with one of `kinds` answers."""
    from lm_eval.api.model import LM

    class Instant(LM):  # type: ignore[misc]
        def generate_until(self, requests: list[Any]) -> list[str]:
            draw = random.Random(0)
            work = "Half of the clips is so many, and so many more make it whole. " * 4
            return [f"{work}The answer is {draw.randrange(kinds)}." for _ in requests]

        def loglikelihood(self, requests: list[Any]) -> list[Any]:
            raise NotImplementedError

        def loglikelihood_rolling(self, requests: list[Any]) -> list[Any]:
            raise NotImplementedError

    return Instant()


if __name__ == "__main__":
    sys.exit(main())
