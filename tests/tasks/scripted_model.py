"""A harness model that says what a script tells it to, answer after answer."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model


@register_model("cod-scripted")
class ScriptedModel(LM):
    """model_args: script, a JSON file {part of a prompt: [answers] or {choice: log-likelihood}}.

    Answers are given in turn, again from the first after the last. Of several parts that a prompt
    holds the last one counts: before it stand the examples.
    """

    def __init__(self, script: str, pretrained: str = "scripted", **_: object) -> None:
        super().__init__()
        self._script: dict[str, Any] = json.loads(Path(script).read_text())
        self._given: Counter[str] = Counter()

    def _part(self, prompt: str) -> str:
        return max(self._script, key=prompt.rfind)

    def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
        answers = []
        for request in requests:
            prompt, settings = request.args
            assert settings["do_sample"] is True and settings["temperature"] == 1.0
            assert settings["top_p"] == 0.7
            part = self._part(prompt)
            told = self._script[part]
            answers.append(told[self._given[part] % len(told)])
            self._given[part] += 1
        return answers

    def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        found = []
        for request in requests:
            prompt, choice = request.args
            found.append((self._script[self._part(prompt)][choice.strip()], False))
        return found

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError
