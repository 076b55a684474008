"""A harness model that answers sums without weights: right with a chance set by its skill.

It honours `do_sample`: without it, or at temperature 0, a prompt always gets the same answer.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from typing import ClassVar

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

FORMS = (
    " The answer is {}.",
    " Let us see. The answer is {}. Good.",
    " {}",
    " I think 12, no: {}",
    " the answer is {}",
)


def _uniform(*parts: object) -> float:
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@register_model("cod-fake")
class FakeModel(LM):
    """model_args: pretrained (a name), skill (about 0 to 3), clones (all repeats the same)."""

    calls: ClassVar[list[str]] = []

    def __init__(
        self, pretrained: str = "fake", skill: float = 1.0, clones: bool = False, **_: object
    ) -> None:
        super().__init__()
        self.pretrained, self.skill, self.clones = str(pretrained), float(skill), bool(clones)
        self.random = random.Random(0)

    def _answer(self, prompt: str, luck: float, form: float) -> str:
        sums = re.findall(r"(\d+) \+ (\d+)", prompt)
        first, second = map(int, sums[-1]) if sums else (0, 0)
        chance = 1 / (1 + math.exp((first + second) / 10 - self.skill))
        right = first + second if luck < chance else first + second + 1 + int(luck * 7)
        return FORMS[int(form * len(FORMS))].format(right)

    def generate_until(self, requests, disable_tqdm: bool = False):  # type: ignore
        FakeModel.calls.append("generate_until")
        answers = []
        for request in requests:
            prompt, settings = request.args
            sampling = settings.get("do_sample") and settings.get("temperature", 0) > 0
            if sampling and not self.clones:
                answers.append(self._answer(prompt, self.random.random(), self.random.random()))
            else:
                answers.append(self._answer(prompt, _uniform(prompt, 1), _uniform(prompt, 2)))
        return answers

    def loglikelihood(self, requests, disable_tqdm: bool = False):  # type: ignore
        FakeModel.calls.append("loglikelihood")
        found = []
        for request in requests:
            prompt, continuation = request.args
            first, second = map(int, re.findall(r"(\d+) \+ (\d+)", prompt)[-1])
            right = str(first + second) in continuation
            value = -3 * _uniform(prompt, continuation, self.pretrained) - 0.1
            found.append((value + (0.3 * self.skill if right else 0.0) - 1, right))
        return found

    def loglikelihood_rolling(self, requests, disable_tqdm: bool = False):  # type: ignore
        FakeModel.calls.append("loglikelihood_rolling")
        return [-float(len(request.args[0])) for request in requests]
