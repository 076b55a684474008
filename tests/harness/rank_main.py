"""`cod-harness run` in one of several processes, on CPU. Started by test_processes.py.

The harness's own `hf` model spreads over processes on GPUs only; this model does as it does there
(`Accelerator`, `gather`, `gather_object`), so that capture meets real processes on any machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

import fake_model
import torch
from accelerate import Accelerator
from lm_eval import tasks
from lm_eval.api.registry import register_model


@register_model("cod-fake-ranks")
class RankModel(fake_model.FakeModel):
    """The fake model, one of several."""

    def __init__(self, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.accelerator = Accelerator(cpu=True)
        self._rank = self.accelerator.process_index
        self._world_size = self.accelerator.num_processes
        # Each process draws its own answers.
        self.random.seed(self._rank)

    @property
    def device(self):  # type: ignore
        return torch.device("cpu")

    def all_gather(self, tensor):  # type: ignore
        return self.accelerator.gather(tensor)

    def gather_object(self, obj, dst=0):  # type: ignore
        result = [None] * self.world_size if self.rank == dst else None
        torch.distributed.gather_object(obj=obj, object_gather_list=result, dst=dst)
        return result

    def barrier(self) -> None:
        self.accelerator.wait_for_everyone()


if not hasattr(fake_model.LM, "gather_object"):
    del RankModel.gather_object  # before 0.4.12 the harness, and we, call torch.distributed

if __name__ == "__main__":
    from cod_harness.cli import run

    manager = tasks.TaskManager
    include_path = str(Path(sys.argv[1]))
    tasks.TaskManager = lambda **_: manager(  # type: ignore[misc,assignment]
        include_path=include_path, include_defaults=False
    )
    sys.exit(run.main(sys.argv[2:]))
