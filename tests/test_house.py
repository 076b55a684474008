"""The rooms of the house: imports run one way, folders stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import cod_harness

PACKAGE = Path(cod_harness.__file__).parent
# Files at the top that every room may use; they import no room.
LEAVES = {"errors", "messages", "cores", "registry", "progress", "arguments", "task_folder"} | {
    "faults",
    "notes",
    "parent",
    "streams",
}
# Room -> the rooms it may import, beside the leaves and itself.
MAY_IMPORT = {
    "engine": set(),
    "ladder": set(),
    "evaluation": {"engine", "ladder"},
    "documents": {"evaluation", "engine", "ladder"},
    "report": {"documents", "evaluation", "engine", "ladder"},
    "harness": {"ladder"},
    "demo": set(),
    "cli": {"harness", "report", "documents", "evaluation", "engine", "ladder", "demo"},
    "plugin": {"cli", "harness"},
    "__main__": {"cli"},
    "python": {"report", "documents", "evaluation", "engine", "ladder"},
    "__init__": {"engine", "ladder", "evaluation", "python"},
}
MOST_FILES = 15


def rooms_imported(source: Path) -> Iterator[tuple[str, int]]:
    """Room and line of every import of ours in a file, those inside functions too."""
    for node in ast.walk(ast.parse(source.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}:{node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "cod_harness" and len(parts) > 1:
                yield parts[1], node.lineno


@pytest.mark.parametrize("room", sorted({*MAY_IMPORT, *LEAVES}))
def test_imports_run_one_way(room: str) -> None:
    folder = PACKAGE / room
    sources = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    assert sources
    known = MAY_IMPORT.keys() | LEAVES
    allowed = MAY_IMPORT.get(room, set()) | LEAVES | {room}
    for source in sources:
        for other, line in rooms_imported(source):
            if other in known:  # else a name like `__version__`, from the package itself
                assert other in allowed, f"{source}:{line}: {room} imports {other}"


def test_only_the_harness_side_imports_lm_eval() -> None:
    for source in PACKAGE.rglob("*.py"):
        if source.relative_to(PACKAGE).parts[0] in ("harness", "demo", "cli", "plugin.py"):
            continue
        assert "import lm_eval" not in source.read_text(), source
        assert "from lm_eval" not in source.read_text(), source


def test_every_folder_can_be_overlooked() -> None:
    for folder in (PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir())):
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MOST_FILES, f"{folder} holds {len(files)} files"


def test_processes_are_started_and_cores_counted_in_one_place() -> None:
    sources = {
        path.relative_to(PACKAGE).as_posix(): path.read_text() for path in PACKAGE.rglob("*.py")
    }
    for word, place in (
        ("(ProcessPoolExecutor)", "parent.py"),
        ("sched_getaffinity(", "cores.py"),
        ("cpu_count(", "cores.py"),
    ):
        assert [path for path, text in sources.items() if word in text] == [place], word
