"""Does a plan foretell what measuring does to the intervals? A backtest.

Rungs, checkpoints or draws of a measured ladder are taken away; the plan says how wide the
intervals would be with each given back; each is given back, and the forecasts made again.

    python benchmarks/plan.py LADDER.yaml RATES.parquet [--tasks T,...] [--hide 0 1] [--json FILE]
    python benchmarks/plan.py --of FILE...

A case is a task, a target and an option. Targets are the ladder's own and, hidden, its largest
rung. Ratio: width foretold over width found. Ranking: the options that one taking away leaves, by
the mean width over tasks.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cod_harness.engine import COD
from cod_harness.engine.settings import LEVEL, MIN_RUNGS, OUTLIER
from cod_harness.evaluation.evidence import Fit, fitted, task_evidence
from cod_harness.evaluation.planning import Benches, Change, runs_of
from cod_harness.evaluation.siblings import beside_each_other
from cod_harness.evaluation.targets import Target
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.ladder.read_passrates import read_passrates

FEWER = 16  # draws that are left where draws are taken away


@dataclass(frozen=True)
class Given:
    """Something given back: what a plan is asked, and the measurements with it."""

    change: Change
    ladder: Ladder
    rates: PassRates


def benches(rates: PassRates, ladder: Ladder, goals: list[Target], clustered: bool) -> Benches:
    """The tasks of a ladder, fitted beside each other.

    Without clusters, unless `clustered`: the intervals are the trend's, to which clusters add how
    far they disagree with it, and that a plan takes as it is.
    """
    every = beside_each_other([task_evidence(rates, ladder, task) for task in rates.tasks])
    fits = []
    for one in every:
        if not one.problem:
            labels = None if clustered else np.full(len(one.questions), OUTLIER)
            model = fitted(COD(), one, labels)
            assert isinstance(model, COD)
            fits.append(Fit(one, model))
    return Benches(fits, runs_of(rates), goals, LEVEL)


def takings(
    rates: PassRates, ladder: Ladder
) -> Iterator[tuple[str, PassRates, Ladder, list[Given]]]:
    """What is taken away: its name, what is left, and what can be given back."""
    rungs = [rung for rung in ladder.rungs if rung.name in rates.models()]
    upper, taken = rungs[-4:], []
    for places in ((-1, -2), (-1, -3), (-2, 2), (-1,)):
        # Two at once, so that there is a choice; fewer where four amounts must stay.
        for size in range(len(places), 0, -1):
            away = [rungs[place] for place in places[:size]]
            left = [rung for rung in rungs if rung not in away]
            if len({rung.compute for rung in left}) >= MIN_RUNGS:
                break
        else:
            continue
        if away in taken:
            continue
        taken.append(away)
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
    arguments.add_argument("ladder", nargs="?")
    arguments.add_argument("rates", nargs="*")
    arguments.add_argument("--tasks")
    arguments.add_argument(
        "--hide", type=int, nargs="+", default=[0, 1],
        help="0: the ladder's targets are forecast, 1: its largest rung, hidden",
    )  # fmt: skip
    arguments.add_argument("--clusters", action="store_true", help="with clusters, much slower")
    arguments.add_argument("--json", type=Path, help="where the cases go")
    arguments.add_argument("--of", type=Path, nargs="+", help="sum up cases written before")
    asked = arguments.parse_args()
    if asked.of:
        found = [json.loads(path.read_text()) for path in asked.of]
        cases, rankings = (
            [tuple(one) for each in found for one in each[name]] for name in ("cases", "rankings")
        )
    else:
        cases, rankings = measured(asked)
        if asked.json:
            asked.json.write_text(json.dumps({"cases": cases, "rankings": rankings}))
    print("\n".join(summary(cases, rankings)))


def measured(asked: argparse.Namespace) -> tuple[list[Any], list[Any]]:
    """Cases (target, taken away, given back, task, target, width before, foretold, found), and
    rankings (what is given back, place in truth of what is ranked first, number of options)."""
    ladder = read_ladder(asked.ladder)
    rates = read_passrates(asked.rates, ladder)
    if asked.tasks:
        rates = rates.only(asked.tasks.split(","))
    largest = [rung for rung in ladder.rungs if rung.name in rates.models()][-1]
    cases: list[Any] = []
    rankings: list[Any] = []
    for hide in asked.hide:
        models = (largest,) if hide else ladder.targets
        goals = [Target(one.name, one.compute or 0.0) for one in models]
        below = [rung for rung in ladder.rungs if (rung.compute or 0.0) < goals[0].compute]
        seen = replace(ladder, rungs=tuple(below)) if hide else ladder
        for name, base, less, given in takings(rates, seen):
            before = benches(base, less, goals, asked.clusters)
            told = [before.after(one.change) for one in given]
            found = [benches(one.rates, one.ladder, goals, asked.clusters).now for one in given]
            for one, said, real in zip(given, told, found, strict=True):
                what = (goals[0].name, name, one.change.kind)
                cases += [(*what, *key, before.now[key], said[key], real[key]) for key in said]
                means = (np.mean(list(each.values())) for each in (before.now, said, real))
                now, expected, is_so = (f"{100 * each:5.1f}" for each in means)
                print(
                    f"{goals[0].name:<22} {name:<28} {one.change.what:<24} before {now} foretold "
                    f"{expected} found {is_so}",
                    flush=True,
                )
            if len(given) > 1:
                first = int(np.argmin([np.mean(list(one.values())) for one in told]))
                order = np.argsort([np.mean(list(one.values())) for one in found])
                rankings.append((name, int(np.flatnonzero(order == first)[0]), len(given)))
    return cases, rankings


def summary(cases: Sequence[Any], rankings: Sequence[Any]) -> Iterator[str]:
    """Ratios by what was given back, and how good the first of each ranking was."""
    yield "| Given back | Cases | 0.7 to 1.4 | Median | 10 to 90 % | Width before: 0.7 to 1.4 |"
    yield "|---|--:|--:|--:|--:|--:|"
    kinds = list(dict.fromkeys(case[2] for case in cases))
    for kind in (*kinds, "all"):
        some = [case for case in cases if kind in (case[2], "all")]
        before, told, found = np.array([case[5:] for case in some], dtype=float).T
        ratio = told / found
        low, middle, high = np.quantile(ratio, [0.1, 0.5, 0.9])
        yield (
            f"| {kind} | {len(some)} | {inside(ratio):.0f} % | {middle:.2f} | {low:.2f} to "
            f"{high:.2f} | {inside(before / found):.0f} % |"
        )
    places = np.array([place for _, place, _ in rankings])
    if len(places):
        number = np.mean([count for *_, count in rankings])
        yield ""
        yield (
            f"{len(places)} rankings of {number:.1f} options: the first is among the best two in "
            f"{100 * np.mean(places < 2):.0f} %, the best in {100 * np.mean(places == 0):.0f} %"
        )


def inside(ratio: npt.NDArray[np.float64]) -> float:
    """Percent of the ratios within a factor of about 1.4."""
    return float(100 * np.mean((ratio >= 0.7) & (ratio <= 1.4)))


if __name__ == "__main__":
    main()
