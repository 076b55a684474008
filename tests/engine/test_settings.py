"""The published numbers are those of the paper (arXiv 2502.17262 v4), each said once."""

import ast
import json
from pathlib import Path

import numpy as np

from cod_harness.engine import COD, ImprovedMeanShift, settings

ENGINE = Path(settings.__file__).parent


def test_published_numbers():
    assert settings.MIN_CLUSTER_SIZE == 10  # K
    assert settings.QUANTILE == 0.1  # Q
    assert settings.MAX_DISTANCE_FRACTION == 0.1  # U
    assert settings.MAP_RMSE == 0.005  # T
    assert (settings.MIN_A, settings.MIN_B, settings.MAX_C) == (1.0, 0.1, 1.0)  # C.1
    assert settings.FAR_FROM_CENTRES == 2.0  # A.1
    assert settings.UNIT == 1e18 and settings.SMALLEST_RUNG == 39.9 * 1e18
    # Table A4: 1.535 GFLOP a token, 26 B tokens.
    assert abs(settings.SMALLEST_RUNG / (1.535e9 * 26e9) - 1) < 1e-3


def test_what_methods_and_documents_share():
    assert (settings.LEVEL, settings.MIN_RUNGS, settings.OUTLIER) == (0.9, 4, -1)
    assert settings.NOISE_FLOOR == 0.02


def test_every_number_is_the_one_that_was_chosen():
    """What a backtest or the paper chose moves on purpose alone, by `golden/make.py`."""
    chosen = json.loads((Path(__file__).parent / "golden" / "golden.json").read_text())["settings"]
    assert {name: value for name, value in vars(settings).items() if name.isupper()} == chosen


def test_the_published_recipe_is_the_papers_whatever_the_defaults_become():
    assert COD.paper().get_params() == {
        "min_cluster_size": 10, "quantile": 0.1, "bandwidth": None, "max_distance_fraction": 0.1,
        "exact_up_to": 200_000, "law": "eq4", "min_a": 1.0, "min_b": 0.1, "max_c": 1.0,
        "map_rmse": 0.005, "map_top": None, "noise_floor": 0.02, "b_scale": 1.0,
        "c_scale": np.inf, "b_bound": None,
        "min_share": 0.0, "trend": False, "n_replicates": 200, "random_state": 0,
    }  # fmt: skip
    assert ImprovedMeanShift().get_params() == {
        "min_cluster_size": 10, "quantile": 0.1, "bandwidth": None, "max_distance_fraction": 0.1,
        "exact_up_to": 200_000,
    }  # fmt: skip


def test_every_setting_is_used():
    """And under its own name: a number in `settings` that nothing reads is a trap."""
    names = [
        target.id
        for node in ast.parse((ENGINE / "settings.py").read_text()).body
        if isinstance(node, ast.Assign)
        for target in ast.walk(node)
        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
    ]
    assert len(names) > 50 and len(set(names)) == len(names)
    code = "\n".join(
        path.read_text() for path in ENGINE.rglob("*.py") if path.name != "settings.py"
    )
    own = (ENGINE / "settings.py").read_text()
    for name in names:
        assert name in code or own.count(name) > 1, name
