"""One harness for all tests here: a fake model, local tasks, and a few shared runs.

The harness's own tasks are left out: indexing them takes several seconds.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
pytest.importorskip("lm_eval")

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from harness_runs import ALL_TASKS, RUNGS, Ran, Runner, captured  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def one_look_at_the_machine() -> Iterator[None]:
    """Where there is torch, the harness asks pip and others about the machine in every run."""
    try:
        from torch.utils import collect_env
    except ImportError:
        yield
        return
    with pytest.MonkeyPatch.context() as patched:
        look = functools.cache(collect_env.get_pretty_env_info)
        patched.setattr(collect_env, "get_pretty_env_info", look)
        yield


@pytest.fixture(scope="session")
def task_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    shutil.copytree(HERE / "tasks", folder, dirs_exist_ok=True)
    for path in folder.glob("*.yaml"):
        path.write_text(path.read_text().replace("@TASKS@", str(folder)))
    return folder


@pytest.fixture(scope="session")
def ladder_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ladder") / "ladder.yaml"
    lines = ["ladder: fakes", "rungs:"]
    for number, (name, skill) in enumerate(RUNGS):
        lines.append(
            f"- {{name: {name}, params: {2**number}e6, tokens: 20e6, model: cod-fake, "
            f"model_args: 'pretrained={name},skill={skill}'}}"
        )
    lines += ["targets:", "- {name: big, params: 320e6, tokens: 20e6}"]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def one_task_manager(task_folder: Path) -> Iterator[None]:
    """Every TaskManager made in this session is the same one, with our tasks alone."""
    import fake_model  # noqa: F401 - registers the model
    from lm_eval import tasks

    made: list[Any] = []
    original = tasks.TaskManager

    def once(*_: Any, **__: Any) -> Any:
        if not made:
            made.append(original(include_path=str(task_folder), include_defaults=False))
        return made[0]

    once.original = original  # type: ignore[attr-defined] - for tests in other folders
    # Modules that were imported by other tests have the class by its name already.
    holders = [
        module
        for name, module in list(sys.modules.items())
        if name.startswith("lm_eval") and vars(module).get("TaskManager") is original
    ]
    for module in holders:
        module.TaskManager = once  # type: ignore[attr-defined]
    yield
    for module in holders:
        module.TaskManager = original  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def cod_run(
    one_task_manager: None, ladder_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Runner:
    """`cod_run("cod_t_x", "--flag", model="f1,skill=1")` runs `cod-harness run` in this process."""
    from cod_harness.cli import run

    def go(
        tasks: str,
        *more: str,
        model: str = "f1,skill=1.0",
        folder: Path | None = None,
        ladder: Path | None = ladder_file,
        output: bool = True,
    ) -> Ran:
        folder = folder or tmp_path_factory.mktemp("out")
        words = ["--model", "cod-fake", "--model_args", f"pretrained={model}", "--tasks", tasks]
        words += ["--output_path", str(folder)] if output else []
        words += ["--cod", str(ladder)] if ladder else []
        return captured(lambda: run.main([*words, *more]), folder)

    return go


@pytest.fixture(scope="session")
def config_run(
    one_task_manager: None, ladder_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Runner:
    """`config_run("--flag", tasks=[...])`: everything but our flags out of a `--config` file."""
    from cod_harness.cli import run

    def go(*more: str, **settings: Any) -> Ran:
        folder = tmp_path_factory.mktemp("config")
        config = {
            "model": "cod-fake",
            "model_args": {"pretrained": "f1", "skill": 1.0},
            "output_path": str(folder / "out"),
            **settings,
        }
        path = folder / "run.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        words = ["run", "--config", str(path), "--cod", str(ladder_file), *more]
        return captured(lambda: run.main(words), folder / "out")

    return go


@pytest.fixture(scope="session")
def plain_run(one_task_manager: None, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """The harness alone, in the same way."""

    def go(tasks: str, *more: str, model: str = "f1,skill=1.0") -> Ran:
        from lm_eval.__main__ import cli_evaluate

        folder = tmp_path_factory.mktemp("plain")
        words = ["--model", "cod-fake", "--model_args", f"pretrained={model}", "--tasks", tasks]
        words += ["--output_path", str(folder), *more]

        def call() -> int:
            before, sys.argv = sys.argv, ["lm_eval", "run", *words]
            try:
                cli_evaluate()
            finally:
                sys.argv = before
            return 0

        return captured(call, folder)

    return go


@pytest.fixture(scope="session")
def everything(cod_run: Runner) -> Ran:
    """All task shapes, captured, with samples logged."""
    return cod_run(",".join(ALL_TASKS), "--log_samples")
