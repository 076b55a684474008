"""Programs that models wrote, and the metric that runs them.

Each runs in a process of its own with limits (`sandbox`). A program and its tests share an
interpreter, as in the harness's own metric: one that makes every comparison true passes anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cod_harness.harness.scoring import sandbox

# Per program: seconds of wall clock (what the harness's metric allows) and bytes of memory.
SECONDS = 3.0
MEMORY = 1 << 30

_CONSENT = "HF_ALLOW_CODE_EVAL"


def allowed() -> bool:
    """Whether the harness's own consent to run programs is given."""
    return os.environ.get(_CONSENT) == "1"


def passes(
    program: str,
    seconds: float = SECONDS,
    memory: int = MEMORY,
    within: sandbox.Sandbox | None = None,
) -> bool:
    """Whether a program runs to its end, tests included, within its limits.

    within: where it runs; the best place of this machine if None.
    """
    return (within or sandbox.found()).runs_to_its_end(program, seconds, memory)


class CodeEval:
    """The metric `code_eval` in the form the harness's tasks call it."""

    def compute(
        self,
        references: Sequence[str],
        predictions: Sequence[Sequence[str]],
        k: Sequence[int] = (1,),
        num_workers: int = 1,
        timeout: float = SECONDS,
        **_: Any,
    ) -> tuple[dict[str, float], dict[int, list[tuple[int, dict[str, Any]]]]]:
        """pass@k of candidate programs and, by problem, what became of each candidate.

        references: test code, one text a problem. predictions: candidates, by problem.
        Raises ValueError without the consent HF_ALLOW_CODE_EVAL=1.
        """
        if not allowed():
            raise ValueError(
                f"this task runs programs that a model wrote: set {_CONSENT}=1 and add "
                "--confirm_run_unsafe_code if you accept that, best inside a container"
            )
        jobs = [
            (problem, at, f"{candidate}\n{tests}")
            for problem, (candidates, tests) in enumerate(zip(predictions, references, strict=True))
            for at, candidate in enumerate(candidates)
        ]
        sandbox.found()  # looked for once, not in every thread
        with ThreadPoolExecutor(max(1, num_workers)) as pool:
            outcomes = list(pool.map(lambda job: passes(job[2], timeout), jobs))
        found: dict[int, list[tuple[int, dict[str, Any]]]] = {}
        for (problem, at, _program), passed in zip(jobs, outcomes, strict=True):
            words = "passed" if passed else "failed"
            told = {"task_id": problem, "passed": passed, "result": words, "completion_id": at}
            found.setdefault(problem, []).append((at, told))
        rates = {
            f"pass@{size}": sum(
                _pass_at(len(told), sum(one["passed"] for _, one in told), size)
                for told in found.values()
            )
            / max(1, len(found))
            for size in k
            if all(len(told) >= size for told in found.values())
        }
        return rates, found


def _pass_at(drawn: int, right: int, size: int) -> float:
    """Chance that at least one of `size` answers out of `drawn` is right."""
    from math import comb

    return 1.0 - comb(drawn - right, size) / comb(drawn, size)
