"""The class behind the configurations here; the harness looks for it beside their YAML files."""

from cod_harness.harness.scoring.repeated_task import RepeatedTask

__all__ = ["RepeatedTask"]
