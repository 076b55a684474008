"""Bounded weighted least squares, batched: every curve and every start in one computation.

Levenberg-Marquardt with the step projected on the bounds; a parameter that sits on a bound and is
pushed outwards is left out of the step.  All arrays carry the problem as first axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cod_harness.engine.arrays import Bools, Floats
from cod_harness.engine.laws import Law

_ITERATIONS = 200
_ENOUGH = 1e-8  # relative decrease of the cost below which a fit has converged
_SINGULAR = 1e-10  # smallest over largest eigenvalue of the scaled normal matrix
_ON_BOUND = 1e-6  # share of the range within which a parameter sits on its bound


@dataclass(frozen=True)
class Fits:
    """Fitted curves, one per problem.

    theta (problems, p); cost (problems,), half the sum of squared weighted residuals and of the
    ridge penalty; covariance (problems, p, p), of the parameters off their bounds, 0 elsewhere,
    scaled up where the cost exceeds what the weights' sigma explains; at_lower, at_upper
    (problems, p); converged, singular (problems,).
    """

    theta: Floats
    cost: Floats
    covariance: Floats
    at_lower: Bools
    at_upper: Bools
    converged: Bools
    singular: Bools


def fit(
    law: Law,
    x: Floats,
    y: Floats,
    sigma: Floats,
    starts: Floats | None = None,
    penalty: Floats | None = None,
) -> Fits:
    """Fit a law to every row of y.

    x (m,) log compute about the reference; y (problems, m) rates; sigma (problems, m), the
    standard deviation of each rate, > 0; starts (problems, starts, p), all of them followed, or
    None for the best of each group of ``law.starts``; penalty (p,) >= 0, or None for 0: the ridge
    penalty, penalty x its square of every parameter, is added to the chi-square, so that of laws
    which the points cannot tell apart the one with the smallest penalised parameters is taken.
    """
    if penalty is None:
        penalty = np.zeros(len(law.parameters))
    if len(y) == 0:
        starts = np.empty((0, 1, len(law.parameters)))  # no cluster: an empty answer, no fault
    elif starts is None:
        starts = _best_of_groups(law, x, y, sigma, penalty)
    problems, number, size = starts.shape
    theta, cost, converged = _descend(
        law,
        x,
        np.repeat(y, number, axis=0),
        np.repeat(sigma, number, axis=0),
        starts.reshape(-1, size),
        penalty,
    )
    best = np.argmin(cost.reshape(problems, number), axis=1)
    chosen = np.arange(problems) * number + best
    theta, cost, converged = theta[chosen], cost[chosen], converged[chosen]
    margin = _ON_BOUND * (law.upper - law.lower)
    at_lower, at_upper = theta <= law.lower + margin, theta >= law.upper - margin
    covariance, singular = _covariance(law, x, sigma, theta, cost, ~(at_lower | at_upper), penalty)
    return Fits(theta, cost, covariance, at_lower, at_upper, converged, singular)


def _best_of_groups(law: Law, x: Floats, y: Floats, sigma: Floats, penalty: Floats) -> Floats:
    """(problems, groups, p): of each group of starts the one nearest to the points."""
    grid = law.starts(x, y)
    problems, groups, number, size = grid.shape
    miss = law.curve(grid.reshape(problems, -1, size), x) - y[:, None, :]
    cost = ((miss / sigma[:, None, :]) ** 2).sum(axis=-1).reshape(problems, groups, number)
    cost += grid**2 @ penalty
    best = np.argmin(cost, axis=2)[:, :, None, None]
    return np.take_along_axis(grid, best, axis=2)[:, :, 0, :]


def _descend(
    law: Law, x: Floats, y: Floats, sigma: Floats, start: Floats, penalty: Floats
) -> tuple[Floats, Floats, Bools]:
    """theta, cost and whether it converged, for each (problem, start) row on its own."""
    lower, upper = law.lower, law.upper
    theta = start.copy()
    cost = _cost(law, x, y, sigma, theta, penalty)
    converged = np.zeros(len(theta), dtype=bool)
    damping = np.full(len(theta), 1e-2)
    active = np.arange(len(theta))
    for _ in range(_ITERATIONS):
        here = theta[active]
        residual = (law.curve(here, x) - y[active]) / sigma[active]
        jacobian = law.jacobian(here, x) / sigma[active][:, :, None]
        gradient = np.einsum("qmp,qm->qp", jacobian, residual) + here * penalty
        held = ((here <= lower) & (gradient > 0)) | ((here >= upper) & (gradient < 0))
        jacobian[np.broadcast_to(held[:, None, :], jacobian.shape)] = 0.0
        gradient[held] = 0.0
        normal = np.einsum("qmp,qmr->qpr", jacobian, jacobian)
        np.einsum("qpp->qp", normal)[...] += np.where(held, 0.0, penalty)
        step = _solve(_damped(normal, damping[active]), -gradient)
        there = np.clip(here + step, lower, upper)
        new_cost = _cost(law, x, y[active], sigma[active], there, penalty)
        old_cost = cost[active]
        better = new_cost < old_cost
        theta[active[better]] = there[better]
        cost[active[better]] = new_cost[better]
        gain = old_cost - new_cost
        small = gain <= _ENOUGH * (old_cost + 1e-3)
        # A small gain of a damped step proves nothing: only short steps that were hardly damped,
        # or no possible step at all, end a descent.
        flat = np.abs(gradient).max(axis=1) <= 1e-9 * (1.0 + np.sqrt(2.0 * old_cost))
        done = flat | (better & small & (damping[active] <= 1e-3)) | (damping[active] > 1e12)
        converged[active[done]] = True
        damping[active] = np.where(better, damping[active] / 5.0, damping[active] * 4.0)
        damping[active] = np.maximum(damping[active], 1e-9)
        active = active[~done]
        if len(active) == 0:
            break
    return theta, cost, converged


def _cost(law: Law, x: Floats, y: Floats, sigma: Floats, theta: Floats, penalty: Floats) -> Floats:
    residual = (law.curve(theta, x) - y) / sigma
    return np.asarray(0.5 * (np.einsum("qm,qm->q", residual, residual) + theta**2 @ penalty))


def _damped(normal: Floats, damping: Floats) -> Floats:
    """Marquardt's damping; a parameter without any pull gets a unit diagonal and no step."""
    diagonal = np.einsum("qpp->qp", normal)
    largest = diagonal.max(axis=1, keepdims=True)
    scale = np.maximum(diagonal, 1e-10 * largest)
    damped = normal.copy()
    np.einsum("qpp->qp", damped)[...] += damping[:, None] * scale + (largest == 0.0)
    np.einsum("qpp->qp", damped)[...] += 1e-12 * largest
    return damped


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Batched Cholesky by hand: p is 2 to 6 and the batch is thousands, where LAPACK is slow."""
    size = right.shape[1]
    factor = [[np.empty(0)] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[:, i, j].copy()
            for k in range(j):
                rest -= factor[i][k] * factor[j][k]
            if i == j:
                floor = 1e-14 * matrix[:, i, i] + 1e-300
                factor[i][i] = np.sqrt(np.maximum(rest, floor))
            else:
                factor[i][j] = rest / factor[j][j]
    solution = np.empty_like(right)
    for i in range(size):
        rest = right[:, i].copy()
        for k in range(i):
            rest -= factor[i][k] * solution[:, k]
        solution[:, i] = rest / factor[i][i]
    for i in reversed(range(size)):
        rest = solution[:, i].copy()
        for k in range(i + 1, size):
            rest -= factor[k][i] * solution[:, k]
        solution[:, i] = rest / factor[i][i]
    return solution


def _covariance(
    law: Law,
    x: Floats,
    sigma: Floats,
    theta: Floats,
    cost: Floats,
    free: Bools,
    penalty: Floats,
) -> tuple[Floats, Bools]:
    jacobian = law.jacobian(theta, x) / sigma[:, :, None] * free[:, None, :]
    normal = np.einsum("qmp,qmr->qpr", jacobian, jacobian)
    np.einsum("qpp->qp", normal)[...] += penalty * free
    scale = np.sqrt(np.einsum("qpp->qp", normal))
    # A pull this weak leaves the parameter undetermined; its inverse would only overflow.
    dead = scale <= _SINGULAR * scale.max(axis=1, keepdims=True, initial=0.0)
    normal = np.where(dead[:, :, None] | dead[:, None, :], 0.0, normal)
    scale = np.where(dead, 1.0, scale)
    scaled = normal / scale[:, :, None] / scale[:, None, :]
    np.einsum("qpp->qp", scaled)[dead & ~free] = 1.0  # on a bound: left out, not singular
    values, vectors = np.linalg.eigh(scaled)
    singular = values[:, 0] <= _SINGULAR * values[:, -1]
    inverse = np.where(values > _SINGULAR * values[:, -1:], 1.0 / np.maximum(values, 1e-300), 0.0)
    covariance = np.einsum("qpk,qk,qrk->qpr", vectors, inverse, vectors)
    with np.errstate(over="ignore"):  # a law without any pull on the points: inf says so
        covariance *= (free[:, :, None] & free[:, None, :]) / scale[:, :, None] / scale[:, None, :]
    spare = np.maximum(len(x) - free.sum(axis=1), 1)
    excess = np.maximum(2.0 * cost / spare, 1.0)
    return covariance * excess[:, None, None], singular
