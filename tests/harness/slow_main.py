"""`python slow_main.py ARGS`: `cod-harness` with a model that takes its time, to be killed.

It answers with numbers that no other call gives, and writes down each question it is asked.
"""

from __future__ import annotations

import os
import sys
import time
import uuid

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from cod_harness.cli import main


@register_model("cod-slow")
class SlowModel(LM):
    """model_args: pause (seconds a question), reports (whether it tells texts as they come)."""

    def __init__(self, pause: float = 0.02, reports: bool = True, **_: object) -> None:
        super().__init__()
        self.pause, self.reports = float(pause), str(reports) == "True"

    def generate_until(self, requests, disable_tqdm: bool = False):  # type: ignore
        texts = []
        before = None
        for request in requests:
            if request is not before:
                time.sleep(self.pause)
                with open(os.environ["COD_ASKED"], "a") as log:
                    log.write(f"{request.doc_id}\n")
                before = request
            texts.append(f" The answer is {uuid.uuid4().int % 1000}.")
            if self.reports:
                self.cache_hook.add_partial("generate_until", request.args, texts[-1])
        return texts

    def loglikelihood(self, requests, disable_tqdm: bool = False):  # type: ignore
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
