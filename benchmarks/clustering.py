"""Time of the clustering against scikit-learn's route, and whether both find the same partition.

    python benchmarks/clustering.py [--sizes 5000 17944 ...] [--scikit-learn-up-to 5000]
                                    [--exact-up-to 20000] [--agreement-seeds 4]
                                    [--models 8] [--seed 0]

The route through scikit-learn is Algorithm 1 on its `estimate_bandwidth` and `MeanShift` with their
own default n_jobs (None, one core); ours uses one core below 25,000 rows and beyond that every core
that BLAS may.  Rates are simulated: k=100 draws of questions whose difficulty and steepness spread
widely, those that no model ever solves set aside; a size counts the rows that are clustered.
Beyond `--exact-up-to` rows the seeds are a sample.  scikit-learn needs about a minute for 5,000
rows and over ten for 17,944, and runs for sizes up to `--scikit-learn-up-to` only.

The second table says how well the sample agrees with the exact partition, outliers counted as one
more group, and how much the exact one itself changes when a thousandth of the rows is left out.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]
DRAWS = 100
AGREEMENT_ROWS = 20_000


def main() -> int:
    assert __doc__ is not None
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sizes", type=int, nargs="*", default=[5000, 17_944, 200_000, 10**6])
    arguments.add_argument("--scikit-learn-up-to", type=int, default=5000, metavar="ROWS")
    arguments.add_argument("--exact-up-to", type=int, default=None, metavar="ROWS")
    arguments.add_argument("--agreement-seeds", type=int, default=4, metavar="NUMBER")
    arguments.add_argument("--models", type=int, default=8)
    arguments.add_argument("--seed", type=int, default=0)
    asked = arguments.parse_args()

    from cod_harness.engine.settings import EXACT_UP_TO

    limit = EXACT_UP_TO if asked.exact_up_to is None else asked.exact_up_to
    print("                          ours                   scikit-learn           wall   same")
    print("     rows   way      wall, s   cpu, s     MB    wall, s    cpu, s        x   partition")
    for size in asked.sizes:
        case = (size, asked.models, asked.seed)
        ours = apart(fitted, *case, limit)
        way = "exact" if size <= limit else "sample"
        line = f"{size:>9,}   {way:<6} {ours['wall']:>9.2f} {ours['cpu']:>8.2f} {ours['mb']:>6.0f}"
        if size <= asked.scikit_learn_up_to:
            theirs = apart(through_scikit_learn, *case)
            ratio = theirs["wall"] / ours["wall"]
            same = np.array_equal(ours["labels"], theirs["labels"])
            line += f" {theirs['wall']:>10.2f} {theirs['cpu']:>9.2f} {ratio:>8.0f}   "
            line += "yes" if same else f"ARI {agreement(ours['labels'], theirs['labels']):.4f}"
        else:
            line += f" {'-':>10} {'-':>9} {'-':>8}   -"
        print(line, flush=True)

    print(f"\nagreement with the exact partition at {AGREEMENT_ROWS:,} rows, ARI")
    print("seed   sample   exact, less 0.1 % of rows")
    for seed in range(asked.agreement_seeds):
        case = (AGREEMENT_ROWS, asked.models, seed)
        exact = apart(fitted, *case, None)["labels"]
        sampled = apart(fitted, *case, AGREEMENT_ROWS - 1)["labels"]
        thinned = apart(fitted, *case, None, AGREEMENT_ROWS // 1000)["labels"]
        kept = remaining(AGREEMENT_ROWS, AGREEMENT_ROWS // 1000)
        line = f"{seed:>4} {agreement(exact, sampled):>8.4f}"
        print(f"{line} {agreement(exact[kept], thinned):>8.4f}", flush=True)
    return 0


def rates(rows: int, models: int, seed: int) -> Floats:
    """(rows, models) rates of questions that some model solved."""
    random = np.random.default_rng(seed)
    drawn = int(rows * 1.25) + 100
    place = random.uniform(-0.3, 1.5, drawn)[:, None]
    steepness = random.uniform(3, 12, drawn)[:, None]
    exact = 1 / (1 + np.exp(-steepness * (np.linspace(0, 1, models) - place)))
    made = random.binomial(DRAWS, exact) / DRAWS
    made = made[made.any(axis=1)][:rows]
    assert len(made) == rows
    return np.asarray(made, dtype=np.float64)


def remaining(rows: int, without: int) -> Labels:
    return np.sort(np.random.default_rng(0).permutation(rows)[without:])


def fitted(rows: int, models: int, seed: int, limit: int | None, without: int = 0) -> Any:
    from cod_harness.engine import ImprovedMeanShift

    features = rates(rows, models, seed)[remaining(rows, without)]
    ImprovedMeanShift().fit(features[:100])  # loads the libraries
    return timed(lambda: ImprovedMeanShift(exact_up_to=limit).fit(features).labels_)


def through_scikit_learn(rows: int, models: int, seed: int) -> Any:
    from sklearn.cluster import MeanShift, estimate_bandwidth

    features = rates(rows, models, seed)

    def algorithm_1() -> Labels:
        radius = min(estimate_bandwidth(features, quantile=0.1), 0.1 * models**0.5)
        labels = np.full(rows, -1)
        changed = True
        while changed and (labels == -1).any():
            left = np.flatnonzero(labels == -1)
            model = MeanShift(bandwidth=radius).fit(features[left])
            centers = model.cluster_centers_[model.labels_]
            near = np.linalg.norm(features[left] - centers, axis=1) <= radius
            changed = False
            for label in range(len(model.cluster_centers_)):
                members = left[(model.labels_ == label) & near]
                if len(members) >= 10:
                    labels[members] = labels.max() + 1
                    changed = True
        return labels

    return timed(algorithm_1)


def timed(call: Any) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    labels = call()
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"labels": labels, "mb": peak, **seconds}


def apart(function: Any, *arguments: Any) -> Any:
    """The call in a process of its own, so that its peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def agreement(left: Labels, right: Labels) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(left, right))


if __name__ == "__main__":
    sys.exit(main())
