"""`python slow_main.py ARGS`: `cod-harness` with a model that takes its time, to be killed.

It answers with numbers that no other call gives, and writes down each question it is asked.

Without ARGS each line of standard input asks for a run, in a process of its own that need not
import everything anew: `{"words": ARGS, "said": FILE, "asked": FILE}`, for what it says and what it
was asked. Its id is written, and its status once it has ended.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
import traceback
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


def forked(words: list[str], said: str, asked: str) -> int:
    """The id of a process that runs the command."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.environ["COD_ASKED"] = asked
        status = main(words)
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def serve() -> None:
    """Runs as they are asked for, one after another."""
    for name in ("lm_eval.evaluator", "cod_harness.cli.run", "torch", "transformers"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        child = forked(**json.loads(line))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else serve())
