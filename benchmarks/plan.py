"""Does a plan foretell what measuring does to the intervals? A backtest.

Rungs, checkpoints or draws of a measured ladder are taken away; the plan says how wide the
intervals would be with each given back; each is given back, and the forecasts made again.

    python benchmarks/plan.py LADDER.yaml RATES.parquet [--tasks T,...] [--json FILE]

A case is a task, a target and an option. Targets are the ladder's own and, hidden, its largest
rung. Ratio: width foretold over width found. Ranking: the options that one taking away leaves, by
the mean width over tasks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from cod_harness.engine import COD
from cod_harness.engine.settings import LEVEL, MIN_RUNGS
from cod_harness.evaluation.evidence import Fit, fitted, task_evidence
from cod_harness.evaluation.planning import Benches, Change, runs_of
from cod_harness.evaluation.siblings import beside_each_other
from cod_harness.evaluation.targets import Target
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates

FEWER = 16  # draws that are left where draws are taken away
REFITS = 40


@dataclass(frozen=True)
class Given:
    """Something given back: what a plan is asked, and the measurements with it."""

    change: Change
    ladder: Ladder
    rates: PassRates


def benches(rates: PassRates, ladder: Ladder, goals: list[Target]) -> Benches:
    """The tasks of a ladder, fitted beside each other.

    With fewer refits of the clusters than usual: the intervals are the trend's.
    """
    every = beside_each_other([task_evidence(rates, ladder, task) for task in rates.tasks])
    fits = []
    for one in every:
        if not one.problem:
            model = fitted(COD(n_replicates=REFITS), one)
            assert isinstance(model, COD)
            fits.append(Fit(one, model))
    return Benches(fits, runs_of(rates), goals, LEVEL)


def takings(
    rates: PassRates, ladder: Ladder
) -> Iterator[tuple[str, PassRates, Ladder, list[Given]]]:
    """What is taken away: its name, what is left, and what can be given back."""
    rungs = [rung for rung in ladder.rungs if rung.name in rates.models()]
    upper = rungs[-4:]
    for places in ((-1, -2, -4), (-1, -3, 1), (-2, -3, 2)):
        # Several at once, so that there is a choice; fewer where four amounts must stay.
        for size in (3, 2, 1):
            away = [rungs[place] for place in places[:size]]
            left = [rung for rung in rungs if rung not in away]
            if len({rung.compute for rung in left}) >= MIN_RUNGS:
                break
        else:
            continue
        given = []
        for rung in away:
            more = sorted([*left, rung], key=lambda one: one.compute or 0.0)
            change = Change("rung", f"rung {rung.name}", compute=rung.compute)
            given.append(Given(change, replace(ladder, rungs=tuple(more)), rates))
        less = replace(ladder, rungs=tuple(left))
        draws = int(rates.frame["n_samples"].median())
        base = fewer_draws(rates) if draws > FEWER else rates
        given = [replace(one, rates=base) for one in given]
        if draws > FEWER:
            given.append(Given(Change("draws", f"{draws} draws", draws=draws), less, rates))
        yield "rungs " + ", ".join(rung.name for rung in away), base, less, given
    runs = runs_of(rates)
    if all(runs[rung.name] > 1 for rung in rungs):
        one_run = rates.frame.groupby(["task", "question", "model"], sort=False).head(1)
        few = PassRates.of_checked(one_run.reset_index(drop=True))
        given = []
        for rung in upper[::-1]:
            whole = pd.concat(
                [
                    one_run[one_run["model"] != rung.name],
                    rates.frame[rates.frame["model"] == rung.name],
                ]
            )
            change = Change(
                "checkpoints", f"checkpoints of {rung.name}", compute=rung.compute, rung=rung,
                more=runs[rung.name] - 1,
            )  # fmt: skip
            given.append(Given(change, ladder, PassRates.of_checked(whole.reset_index(drop=True))))
        yield "checkpoints", few, ladder, given


def fewer_draws(rates: PassRates) -> PassRates:
    """FEWER of the draws of every question, as if the first ones of a run."""
    random = np.random.default_rng(0)
    frame = rates.frame.copy()
    n, right = frame["n_samples"].to_numpy(), frame["n_correct"].fillna(0).to_numpy()
    few = np.minimum(n, FEWER)
    kept = random.hypergeometric(right.astype(int), (n - right).astype(int), few.astype(int))
    sampled = n > 0
    frame["n_correct"] = np.where(sampled, kept, right)
    frame["n_samples"] = few
    frame["rate"] = np.where(sampled, kept / np.maximum(few, 1), frame["rate"])
    return PassRates.of_checked(frame)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("ladder")
    arguments.add_argument("rates", nargs="+")
    arguments.add_argument("--tasks")
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()
    ladder = read_ladder(asked.ladder)
    rates = read_passrates(asked.rates, ladder)
    if asked.tasks:
        rates = rates.only(asked.tasks.split(","))
    measured = [rung for rung in ladder.rungs if rung.name in rates.models()]
    origins: list[tuple[list[Target], Ladder]] = [
        ([Target(one.name, one.compute or 0.0) for one in ladder.targets], ladder)
    ]
    hidden = measured[-1]
    below = tuple(rung for rung in ladder.rungs if (rung.compute or 0.0) < (hidden.compute or 0.0))
    origins.append(([Target(hidden.name, hidden.compute or 0.0)], replace(ladder, rungs=below)))
    cases, rankings = [], []
    for goals, seen in origins:
        for name, base, less, given in takings(rates, seen):
            before = benches(base, less, goals)
            foretold = [before.after(one.change) for one in given]
            found = [benches(one.rates, one.ladder, goals).now for one in given]
            for one, told, real in zip(given, foretold, found, strict=True):
                for key, now in before.now.items():
                    if key in real:
                        cases.append(
                            (goals[0].name, name, one.change.what, *key, now, told[key], real[key])
                        )
                print(
                    f"{goals[0].name:<22} {name:<32} {one.change.what:<24} now "
                    f"{100 * np.mean(list(before.now.values())):5.1f} foretold "
                    f"{100 * np.mean(list(told.values())):5.1f} found "
                    f"{100 * np.mean([real[key] for key in told]):5.1f}",
                    flush=True,
                )
            if len(given) > 1:
                told_first = int(np.argmin([np.mean(list(one.values())) for one in foretold]))
                order = np.argsort([np.mean(list(one.values())) for one in found])
                rankings.append((int(np.flatnonzero(order == told_first)[0]), len(given)))
    said, seen_widths = (np.array([case[at] for case in cases]) for at in (6, 7))
    ratio = said / seen_widths
    inside = np.mean((ratio >= 0.7) & (ratio <= 1.4))
    print(
        f"{len(cases)} cases: ratio 0.7 to 1.4 in {100 * inside:.0f} %, median "
        f"{np.median(ratio):.2f}, 10 to 90 %: {np.quantile(ratio, 0.1):.2f} to "
        f"{np.quantile(ratio, 0.9):.2f}"
    )
    same = np.array([case[5] for case in cases]) / seen_widths
    inside = np.mean((same >= 0.7) & (same <= 1.4))
    print(f"the width before, for comparison: {100 * inside:.0f} %, median {np.median(same):.2f}")
    places = [place for place, _ in rankings]
    print(
        f"{len(rankings)} rankings of {np.mean([n for _, n in rankings]):.1f} options: first among "
        f"the best two in {100 * np.mean([place < 2 for place in places]):.0f} %, the best in "
        f"{100 * np.mean([place == 0 for place in places]):.0f} %"
    )
    if asked.json:
        asked.json.write_text(json.dumps({"cases": cases, "rankings": rankings}))


if __name__ == "__main__":
    main()
