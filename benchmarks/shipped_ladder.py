"""What the shipped ladder shows, from the files that ship: does the law hold on it?

    python benchmarks/shipped_ladder.py [LADDER.yaml] [--repeats 100]

1. Accuracy of every model on the eight benchmarks: exact pass rates, each from one teacher-forced
   pass (the product of the probabilities that top_p leaves to the answer's tokens, averaged over
   seeds); for multiple choice the right option's probability.
2. Rises from rung to rung beside their noise over seeds, and the rows that never fall.
3. The loss: a power law with a floor, fitted to the first six rungs, beside what came after.
4. A rolling backtest on the rungs, and the forecasts of the target, by every method. The engine
   gets draws of these rates, `--repeats` a question, as a run would count them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import curve_fit

from cod_harness.demo import skills
from cod_harness.demo.numpy_llama import NumpyLlama, nucleus
from cod_harness.demo.tasks import TASKS
from cod_harness.engine import METHODS
from cod_harness.evaluation.backtest import backtest_ladder
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates
from cod_harness.ladder.rate_table import checked
from cod_harness.ladder.read_ladder import read_ladder

SHIPPED = Path(skills.__file__).parent / "ladder.yaml"
TOP_P = 0.7
FALL = 0.05  # of a pass rate, from its best before, that counts as a fall
FITTED = 6  # rungs that the laws of the loss are fitted to

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """One checkpoint on one benchmark: exact pass rates (questions,), and the mean cross-entropy
    of the answers, nats a token."""

    rates: Floats
    loss: float


def measured(network: NumpyLlama, family: str) -> Measured:
    questions = skills.benchmark(family)
    choices = family == "exam"  # scored by the likelihood of its letters
    ends = "" if choices else "\n"
    texts = [network.encode(q.prompt + q.answer + ends) for q in questions]
    rates, losses = [], []
    for question, ids, logs in zip(
        questions, texts, network.log_probabilities([ids[:-1] for ids in texts]), strict=True
    ):
        n = len(question.answer + ends)
        wanted = np.array(ids[-n:])
        losses += list(-logs[-n:][np.arange(n), wanted])
        if choices:
            letters = logs[-1][[network.vocabulary[letter] for letter in "abcd"]].astype(float)
            shares = np.exp(letters - letters.max())
            rates.append(float(shares["abcd".index(question.answer)] / shares.sum()))
        else:
            kept = nucleus(logs[-n:], 1.0, TOP_P)
            rates.append(float(kept[np.arange(n), wanted].prod()))
    return Measured(np.array(rates), float(np.mean(losses)))


def everything(ladder: Ladder) -> dict[str, list[dict[str, Measured]]]:
    """Model -> its seeds, each a benchmark's task -> what was measured."""
    found = {}
    for model in (*ladder.rungs, *ladder.targets):
        seeds = []
        for _, model_args in model.runs():
            network = NumpyLlama(Path(model_args.partition("=")[2]))
            seeds.append({task: measured(network, family) for task, family in TASKS.items()})
        found[model.name] = seeds
    return found


def accuracy_table(ladder: Ladder, found: dict[str, list[dict[str, Measured]]]) -> None:
    print("Accuracy, percent")
    print("model    params  tokens      FLOP   loss", *(f"{task[5:]:>8}" for task in TASKS))
    for model in (*ladder.rungs, *ladder.targets):
        means = [100 * np.mean([s[task].rates for s in found[model.name]]) for task in TASKS]
        print(
            f"{model.name:<7} {model.params:>7.0f} {model.tokens:>9.0f} {model.compute:.2e} "
            f"{model.loss:.3f}",
            *(f"{mean:8.1f}" for mean in means),
        )


def rises(ladder: Ladder, found: dict[str, list[dict[str, Measured]]]) -> None:
    """Per benchmark: first and last rung, target, smallest and largest step, rows that never fall.

    The noise of a step is what its two means vary by over seeds, pooled over rungs.
    """
    names = [rung.name for rung in ladder.rungs]
    print("\nRises from rung to rung, points")
    print("benchmark   first  last target   smallest step  noise   largest step   never fall")
    kept = []
    for task in TASKS:
        seeds = [np.array([s[task].rates.mean() for s in found[name]]) for name in names]
        means = 100 * np.array([one.mean() for one in seeds])
        pooled = np.sqrt(np.mean([np.var(one, ddof=1) for one in seeds]))
        noise = 100 * pooled * np.sqrt(2 / len(seeds[0]))
        steps = np.diff(means)
        rows = np.column_stack([np.mean([s[task].rates for s in found[name]], 0) for name in names])
        stays = (np.maximum.accumulate(rows, axis=1) - rows).max(axis=1) <= FALL
        kept.append(stays)
        beyond = [s[task].rates for one in ladder.targets for s in found[one.name]]
        target = 100 * np.mean(beyond) if beyond else np.nan
        print(
            f"{task[5:]:<10} {means[0]:6.1f} {means[-1]:5.1f} {target:6.1f}"
            f"   {steps.min():+5.1f} at {names[int(steps.argmin()) + 1]:<6} {noise:5.1f}"
            f"   {steps.max():+5.1f} at {names[int(steps.argmax()) + 1]:<6}"
            f" {100 * stays.mean():8.0f} %"
        )
    print(f"rows that never fall by more than {FALL}: {100 * np.mean(kept):.0f} % of all")


def foretold(compute: Floats, loss: Floats) -> Floats:
    """Losses (m,) by ``A C^-b + E``, E >= 0, fitted to the first rungs of them, errors relative."""
    x = np.log(compute / compute[0])

    def law(x: Floats, scale: float, exponent: float, floor: float) -> Floats:
        return np.asarray(scale * np.exp(-exponent * x) + floor)

    start = (loss[0], 0.1, 0.1 * loss[FITTED - 1])
    theta, _ = curve_fit(
        law, x[:FITTED], loss[:FITTED], start, sigma=loss[:FITTED], bounds=(0, np.inf)
    )
    return law(x, *theta)


def losses(ladder: Ladder, found: dict[str, list[dict[str, Measured]]]) -> None:
    models: Sequence[Model] = (*ladder.rungs, *ladder.targets)
    compute = np.array([model.compute for model in models])
    rows = {"all training": np.array([model.loss for model in models])}
    for task in TASKS:
        rows[task[5:]] = np.array(
            [np.mean([s[task].loss for s in found[model.name]]) for model in models]
        )
    later = [model.name for model in models[FITTED:]]
    print(f"\nLoss of answers, nats a token: a law fitted to the first {FITTED} rungs")
    print("             ", *(f"{name + ' foretold, measured':>28}" for name in later))
    for name, loss in rows.items():
        told = foretold(compute, loss)
        cells = [
            f"{told[i]:10.3f} {loss[i]:7.3f} {100 * (told[i] / loss[i] - 1):+6.1f} %"
            for i in range(FITTED, len(models))
        ]
        print(f"{name:<13}", *(f"{cell:>28}" for cell in cells))
    slopes = np.diff(np.log(rows["all training"])) / np.diff(np.log(compute))
    print("exponents between neighbours:", " ".join(f"{slope:.3f}" for slope in slopes))


def as_captured(
    ladder: Ladder, found: dict[str, list[dict[str, Measured]]], repeats: int
) -> PassRates:
    """The pass rates as runs of the harness would have counted them."""
    rng = np.random.default_rng(0)
    frames = []
    for model in (*ladder.rungs, *ladder.targets):
        for (checkpoint, _), seed in zip(model.runs(), found[model.name], strict=True):
            for task, one in seed.items():
                n = 0 if task == "demo_agieval" else repeats
                right = rng.binomial(n, one.rates) if n else np.zeros(len(one.rates), int)
                frames.append(
                    pd.DataFrame(
                        {
                            "task": task,
                            "question": [str(i) for i in range(len(one.rates))],
                            "model": model.name,
                            "checkpoint": checkpoint,
                            "n_correct": right,
                            "n_samples": n,
                            "rate": right / n if n else one.rates,
                        }
                    )
                )
    return PassRates.of_checked(checked(pd.concat(frames, ignore_index=True), "shipped ladder"))


def forecasts(ladder: Ladder, rates: PassRates) -> None:
    record = backtest_ladder(rates, ladder, processes=2)
    for role, title in (("rung", "Rungs, rolling"), ("target", "Target")):
        rows = [row for row in record.rows if row.role == role]
        if not rows:
            continue
        print(f"\n{title}: absolute error in points")
        print("method        mean   max  inside  width  made  ok")
        for method in METHODS:
            made = [row for row in rows if row.method == method and row.error is not None]
            if not made:
                print(f"{method:<11} no forecast")
                continue
            size = np.array([abs(row.error) for row in made])
            inside = sum(row.low <= row.observed <= row.high for row in made)
            width = np.median([100 * (row.high - row.low) for row in made])
            fine = sum(row.verdict == "ok" for row in made)
            print(
                f"{method:<11} {size.mean():6.2f} {size.max():5.1f} {inside:4}/{len(made):<3}"
                f"{width:5.1f} {len(made):5} {fine:3}"
            )
    print("\nThe target by cod, percent")
    for row in record.rows:
        if row.role == "target" and row.method == "cod":
            told = "none" if row.forecast is None else f"{100 * row.forecast:.1f}"
            error = "-" if row.error is None else f"{row.error:+.1f}"
            interval = "" if row.low is None else f"[{100 * row.low:.1f}, {100 * row.high:.1f}]"
            print(
                f"{row.task[5:]:<10} {told:>5} {interval:<14} measured {100 * row.observed:5.1f} "
                f"error {error:>5} {row.verdict}",
                "; ".join(row.reasons),
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ladder", nargs="?", type=Path, default=SHIPPED)
    parser.add_argument("--repeats", type=int, default=100)
    args = parser.parse_args()
    ladder = read_ladder(args.ladder)
    found = everything(ladder)
    accuracy_table(ladder, found)
    rises(ladder, found)
    losses(ladder, found)
    forecasts(ladder, as_captured(ladder, found, args.repeats))


if __name__ == "__main__":
    main()
