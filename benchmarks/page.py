"""The page of large benchmarks: its size, the time to draw it, and the time a browser needs.

    python benchmarks/page.py [--questions 12000] [--tasks 8] [--rungs 9]

Made-up pass rates; the browser is Debian's chromium, driven by playwright, and left out where there
is none.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from cod_harness.documents.writing import json_text
from cod_harness.evaluation.forecasts import forecast_ladder
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.report.page.page import page

CHROMIUM = "/usr/bin/chromium"


def made_up(questions: int, tasks: int, rungs: int) -> tuple[PassRates, Ladder]:
    """Questions that are solved from some amount of compute on, each with its own slope."""
    random = np.random.default_rng(0)
    compute = np.geomspace(4e19, 7.3e23, rungs)
    scale = np.log10(compute)
    parts = []
    for task in range(tasks):
        onset = random.uniform(18, 26, questions)[:, None]
        slope = random.choice([0.8, 1.5, 3.0], questions)[:, None]
        top = random.choice([1.0, 1.0, 0.7], questions)[:, None]
        rates = top / (1 + np.exp(-slope * (scale - onset)))
        correct = random.binomial(100, rates)
        for rung in range(rungs):
            parts.append(
                pd.DataFrame(
                    {
                        "task": f"task{task}",
                        "question": [f"q{number}" for number in range(questions)],
                        "model": f"r{rung}",
                        "n_correct": correct[:, rung],
                        "n_samples": 100,
                    }
                )
            )
    models = tuple(Model(f"r{rung}", "rung", compute=float(c)) for rung, c in enumerate(compute))
    ladder = Ladder("made-up", models, (), (Model("big", "target", compute=3.8e24),))
    return PassRates(pd.concat(parts, ignore_index=True)), ladder


def browser_times(path: Path) -> tuple[float, float] | None:
    """Seconds until the first benchmark's charts and until all charts are drawn."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        return None
    if not Path(CHROMIUM).exists():
        return None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        begun = time.monotonic()
        tab.goto(path.as_uri())
        tab.wait_for_selector("body[data-ready]")
        first = time.monotonic() - begun
        tab.wait_for_selector("body[data-ready=all]")
        every = time.monotonic() - begun
        browser.close()
    return first, every


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=12_000)
    parser.add_argument("--tasks", type=int, default=8)
    parser.add_argument("--rungs", type=int, default=9)
    asked = parser.parse_args()
    rates, ladder = made_up(asked.questions, asked.tasks, asked.rungs)
    begun = time.monotonic()
    record = forecast_ladder(rates, ladder).with_curves()
    print(f"forecast   {time.monotonic() - begun:8.1f} s")
    print(f"JSON       {len(json_text(record).encode()) / 1e6:8.2f} MB")
    page(record)  # the first one puts the drawing library together
    begun = time.monotonic()
    text = page(record)
    print(f"page       {time.monotonic() - begun:8.1f} s, {len(text.encode()) / 1e6:.2f} MB")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(text)
        times = browser_times(path)
    if times is None:
        print("browser    none here")
    else:
        print(f"browser    {times[0]:8.1f} s to the first charts, {times[1]:.1f} s to all")


if __name__ == "__main__":
    main()
