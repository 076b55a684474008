"""The class behind the configurations here; the harness looks for it beside their YAML files."""

from cod_harness.harness.repeated import RepeatedTask

__all__ = ["RepeatedTask"]
