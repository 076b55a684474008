"""Methods by name: ours, and what other packages register."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cod_harness import registry
from cod_harness.engine import COD, METHODS, methods
from cod_harness.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def registered(monkeypatch):
    """Register (name, value) pairs as another package would."""

    def register(*points):
        found = [EntryPoint(*point, methods.GROUP) for point in points]
        monkeypatch.setattr(registry, "entry_points", lambda group: found)
        METHODS.forget()

    yield register
    monkeypatch.undo()
    METHODS.forget()


def test_ours_are_registered_as_in_pyproject():
    tomllib = pytest.importorskip("tomllib")  # Python 3.11
    written = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert written["project"]["entry-points"][methods.GROUP] == dict(methods.OURS)


def test_a_checkout_that_was_never_installed_has_ours(registered):
    registered()
    assert list(METHODS) == list(methods.OURS) and len(METHODS) == 13
    assert METHODS["cod"] is COD
    assert METHODS["cod-paper"]().b_bound is None
    assert [name for name in METHODS if name in methods.CLUSTERING] == ["cod", "cod-paper"]


def test_a_method_of_another_package_is_one_of_them(registered):
    registered(("zeta", "collections:OrderedDict"), ("cod", "cod_harness.engine.cod:COD"))
    assert list(METHODS) == [*methods.OURS, "zeta"]
    assert "zeta" in METHODS and "eta" not in METHODS
    assert METHODS["zeta"].__name__ == "OrderedDict"
    with pytest.raises(KeyError):
        METHODS["eta"]


def test_a_name_taken_twice_is_refused(registered):
    registered(("cod", "other:COD"))
    words = "method 'cod' is registered twice, as cod_harness.engine.cod:COD and as other:COD"
    with pytest.raises(InputError, match=words):
        list(METHODS)


@pytest.mark.parametrize("value", ["nowhere_at_all:make", "collections:nothing"])
def test_what_cannot_be_loaded_is_said(registered, value):
    registered(("zeta", value))
    assert "zeta" in METHODS
    with pytest.raises(InputError, match=f"method 'zeta' cannot be loaded from {value}"):
        METHODS["zeta"]


def test_names_and_settings_import_nothing_heavy():
    code = (
        "import sys, cod_harness.engine, cod_harness.engine.settings, cod_harness.engine.methods;"
        "'cod' in cod_harness.engine.METHODS;"
        "print(sorted({'numpy', 'scipy', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
