"""Forecasts in the tracker's run that the harness opened: wandb offline, trackio's own files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from harness_runs import Ran, Runner

SKILLS = (("f1", 0.5), ("f2", 1.0), ("f3", 1.5))
TASK = "cod_t_custom"


def last_of_four(cod_run: Runner, folder: Path, *flags: str) -> Ran:
    for name, skill in SKILLS:
        assert cod_run(TASK, model=f"{name},skill={skill}", folder=folder).status == 0
    return cod_run(TASK, *flags, model="f4,skill=2.0", folder=folder)


@pytest.mark.slow
def test_wandb_offline(cod_run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="pip install 'cod-harness[trackers]'")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    args = f"project=cod,dir={tmp_path}"
    ran = last_of_four(cod_run, tmp_path / "out", "--wandb_args", args)
    assert ran.status == 0, ran.err
    assert "forecast logged to the run of wandb" in ran.err
    assert "big" in ran.out  # the table still stands at the end
    assert len(list((tmp_path / "out").glob("cod_forecast_*.json"))) == 1
    [run] = (tmp_path / "wandb").glob("offline-run-*")
    content = next(run.glob("*.wandb")).read_bytes()
    assert f"cod/{TASK}/big/cod/".encode() in content or b"cod/forecasts" in content
    media = [path.name for path in run.rglob("files/media/**/*") if path.is_file()]
    assert any(name.endswith(".table.json") for name in media)
    assert any(name.endswith(".html") for name in media)


@pytest.mark.slow
def test_trackio_locally(cod_run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trackio = pytest.importorskip("trackio", reason="pip install 'cod-harness[trackers]'")
    place = tmp_path / "trackio"
    place.mkdir()
    for module in ("trackio.utils", "trackio.sqlite_storage", "trackio", "trackio.media.utils"):
        monkeypatch.setattr(f"{module}.TRACKIO_DIR", place, raising=False)
    ran = last_of_four(cod_run, tmp_path / "out", "--trackio_args", "project=cod,name=one")
    assert ran.status == 0, ran.err
    assert "forecast logged to the run of trackio" in ran.err
    assert trackio
    [store] = place.glob("cod*.db")
    with sqlite3.connect(store) as base:
        logged = " ".join(str(row) for row in base.execute("select metrics from metrics"))
    assert "cod/forecasts" in logged and f"cod/{TASK}/big/cod/" in logged


def test_without_a_tracker_none_is_looked_for() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from cod_harness.report import trackers; "
        "print(trackers.open_runs(), 'wandb' in sys.modules, 'trackio' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False False"
