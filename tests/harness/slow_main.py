"""`python slow_main.py ARGS`: `cod-harness` with a model that takes its time, to be killed.

It answers with numbers that no other call gives, and writes down each question it is asked.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from pathlib import Path

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from cod_harness.cli import main


def held() -> bool:
    """Whether as many questions were asked as may be for now."""
    try:
        most = int(Path(os.environ["COD_HELD"]).read_text())
    except (KeyError, OSError):
        return False
    asked = Path(os.environ["COD_ASKED"])
    return asked.exists() and len(asked.read_text().splitlines()) >= most


@register_model("cod-slow")
class SlowModel(LM):
    """model_args: pause (seconds a question), reports (whether it tells texts as they come).

    Where COD_HELD names a file, no question is begun beyond the number in it while it is there.
    """

    def __init__(self, pause: float = 0.02, reports: bool = True, **_: object) -> None:
        super().__init__()
        self.pause, self.reports = float(pause), str(reports) == "True"

    def generate_until(self, requests, disable_tqdm: bool = False):  # type: ignore
        texts = []
        before = None
        for request in requests:
            if request is not before:
                time.sleep(self.pause)
                while held():
                    time.sleep(0.05)
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
