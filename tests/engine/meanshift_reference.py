"""Algorithm 1 written down plainly on scikit-learn's own MeanShift."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import MeanShift, estimate_bandwidth
from threadpoolctl import threadpool_limits


def reference_radius(rows, quantile=0.1, fraction=0.1):
    return min(estimate_bandwidth(rows, quantile=quantile), fraction * np.sqrt(rows.shape[1]))


@threadpool_limits.wrap(limits=1)  # searches are too small to be worth sharing out
def reference_labels(rows, radius, smallest=10):
    labels = np.full(len(rows), -1)
    number = 0
    while True:
        left = np.flatnonzero(labels == -1)
        if len(left) == 0:
            return labels
        model = MeanShift(bandwidth=radius).fit(rows[left])
        far = np.linalg.norm(rows[left] - model.cluster_centers_[model.labels_], axis=1) > radius
        changed = False
        for label in range(len(model.cluster_centers_)):
            members = left[(model.labels_ == label) & ~far]
            if len(members) >= smallest:
                labels[members] = number
                number += 1
                changed = True
        if not changed:
            return labels
