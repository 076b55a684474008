"""What to measure next: each option's cost, and the width of the intervals expected after it.

The engine's own interval is made again as if an option had been measured: results that may come of
it are drawn from the trend that the ladder shows, its models' own noise and the noise of drawing
answers included, and the widths that follow are averaged.  The clusters stay as they are; intervals
are the trend's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cod_harness.engine import COD, settings
from cod_harness.engine.verdicts import Reason, because
from cod_harness.engine.views.trend import LadderTrend
from cod_harness.errors import InputError
from cod_harness.evaluation.evidence import Fit, Floats
from cod_harness.evaluation.forecasts import FittedForecasts, Progress
from cod_harness.evaluation.records.base import provenance
from cod_harness.evaluation.records.plan import Hopeless, Kind, Option, Plan, PlanSettings, Width
from cod_harness.evaluation.targets import Target
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates

DRAWN = 12  # results drawn of an option
SEED = 0
BEST = 3  # options named
MORE_CHECKPOINTS = 2  # of a rung, at a time
UPPER = 3  # of the largest rungs, that more checkpoints of are looked at
STEPS = (16, 100)  # draws a question that are worth a stage; above the last, four times as many
# Narrowing by less than this share of the width is none: results differ by more.
WORTH = 0.03
NOISE = 0.5  # share of a spread's variance from which on it counts as mostly noise


@dataclass(frozen=True)
class Budget:
    """What may be spent: training compute, FLOP, and generated tokens; None for any amount."""

    flop: float | None = None
    tokens: float | None = None

    def holds(self, flop: float, tokens: float | None) -> bool:
        """Whether so much is within it."""
        if self.flop is not None and flop > self.flop:
            return False
        return self.tokens is None or (tokens is not None and tokens <= self.tokens)


@dataclass(frozen=True)
class Change:
    """An option before it is looked at; fields as those of `Option`."""

    kind: Kind
    what: str
    compute: float | None = None
    rung: Model | None = None
    task: str | None = None
    draws: int | None = None
    more: int = 0  # checkpoints


def next_measurements(
    made: FittedForecasts,
    budget: Budget | None = None,
    answer_tokens: Mapping[str, float] | None = None,
    command: Sequence[str] | None = None,
    progress: Progress = lambda done, total: None,
) -> Plan:
    """What to measure next to narrow some forecasts.

    Args:
        made: the forecasts, by the default method.
        budget: what the best options may cost.
        answer_tokens: mean tokens of an answer, by task.
        command: the words that asked for it.
        progress: called with the numbers of options that are done and that there are.

    Raises:
        InputError: no task can be forecast; a budget of tokens where the length of a task's answers
            is not known.
    """
    budget, tokens = budget or Budget(), dict(answer_tokens or {})
    if not made.fits:
        raise InputError("no task can be forecast yet; `cod-harness forecast` says what is missing")
    benches = Benches.of(made)
    unknown = [one.task for one in benches.tasks if one.draws and one.task not in tokens]
    if budget.tokens is not None and unknown:
        raise InputError(
            f"--budget-tokens: answers of unknown length on {', '.join(unknown)}; give "
            "--answer-tokens N"
        )
    changes = list(changes_of(made.ladder, benches))
    options = []
    for done, change in enumerate(changes):
        progress(done, len(changes))
        options.append(_option(change, benches, made.ladder, budget, tokens))
    progress(len(changes), len(changes))
    nothing = next(one for one in options if one.kind == "nothing")
    options.sort(key=lambda one: (one.mean_width, one.flop, one.answers))
    best = [
        place
        for place, one in enumerate(options)
        if one.affordable and one.mean_width < (1.0 - WORTH) * nothing.mean_width
    ]
    return Plan(
        ladder=made.ladder.name,
        now=nothing.widths,
        options=tuple(options),
        best=tuple(best[:BEST]),
        hopeless=tuple(hopeless(options, nothing, benches)),
        settings=PlanSettings(
            targets=tuple(goal.name for goal in benches.goals),
            level=benches.level,
            budget_flop=budget.flop,
            budget_tokens=budget.tokens,
            answer_tokens=tokens,
            notes=made.record.settings.notes,
            note_codes=made.record.settings.note_codes,
            command=None if command is None else tuple(command),
        ),
        **provenance(),
    )


def settled(made: FittedForecasts, draws: int) -> list[str]:
    """Tasks whose intervals so many draws a question would not narrow: the rest is rung noise.

    Those that cannot be forecast yet are not among them.
    """
    benches = Benches.of(made)
    after = benches.after(Change("draws", f"{draws} draws", draws=draws))
    return [
        one.task
        for one in benches.tasks
        if all(
            after[one.task, goal.name] > (1.0 - WORTH) * benches.now[one.task, goal.name]
            for goal in benches.goals
        )
    ]


def runs_of(rates: PassRates) -> dict[str, int]:
    """By model, how many checkpoints of it were measured."""
    counted = rates.frame.groupby("model")["checkpoint"].nunique()
    return {str(model): int(count) for model, count in counted.items()}


@dataclass(frozen=True)
class Bench:
    """One task: its fit, its row in the trend, runs by model, and draws a question in each run.

    draws: the median; 0 for analytic rates.
    """

    fit: Fit
    trend: LadderTrend
    row: int
    runs: Mapping[str, int]
    draws: int

    @classmethod
    def of(cls, fit: Fit, runs: Mapping[str, int]) -> Bench:
        """A task that can be forecast."""
        trend, row = fit.model.ladder_trend
        counts = np.array([runs[rung.name] for rung in fit.evidence.rungs])
        draws = int(np.median(fit.evidence.n_samples / counts))
        return cls(fit, trend, row, runs, draws)

    @property
    def task(self) -> str:
        """Its name."""
        return self.fit.evidence.task

    @property
    def questions(self) -> int:
        """Their number."""
        return len(self.fit.evidence.questions)


@dataclass(frozen=True)
class _Ladder:
    """Tasks that were measured on the same rungs, and so share a trend."""

    trend: LadderTrend
    tasks: tuple[Bench, ...]
    runs: Mapping[str, int]

    def supposed(self, change: Change) -> list[LadderTrend]:
        """The trends that may follow; the one that is there if the change does not touch it."""
        if change.kind == "rung":
            return list(self._with_rung(change))
        if change.kind == "checkpoints" and self._place(change.rung) is not None:
            return list(self._with_checkpoints(change))
        if change.kind == "draws":
            return self._with_draws(change)
        return [self.trend]

    def _place(self, rung: Model | None) -> int | None:
        assert rung is not None and rung.compute is not None
        at = np.flatnonzero(np.isclose(self.trend.x, np.log(rung.compute), rtol=0, atol=1e-9))
        return int(at[0]) if len(at) else None

    def _with_rung(self, change: Change) -> Iterator[LadderTrend]:
        assert change.compute is not None
        x = float(np.log(change.compute))
        models = self.trend.models(x, DRAWN, SEED)
        random = np.random.default_rng(SEED)
        for ability in models.signal + models.noise:
            variance = self._drawing(ability)
            measured = ability + np.sqrt(variance) * random.normal(size=len(ability))
            yield self.trend.supposing(
                np.append(self.trend.x, x),
                np.column_stack([self.trend.values, measured]),
                np.column_stack([self.trend.variance, variance]),
            )

    def _with_checkpoints(self, change: Change) -> Iterator[LadderTrend]:
        place = self._place(change.rung)
        assert place is not None and change.rung is not None
        now, more = self.runs[change.rung.name], change.more
        share = more / (now + more)
        models = self.trend.models(float(self.trend.x[place]), DRAWN, SEED)
        random = np.random.default_rng(SEED)
        variance = self.trend.variance.copy()
        drawing = variance[:, place] * now / more
        variance[:, place] *= 1.0 - share
        for signal, noise in zip(models.signal, models.noise, strict=True):
            # What is seen of a rung now is the mean of so many already.
            found = signal + noise * np.sqrt(now / more)
            found = found + np.sqrt(drawing) * random.normal(size=len(found))
            values = self.trend.values.copy()
            values[:, place] += share * (found - values[:, place])
            yield self.trend.supposing(self.trend.x, values, variance)

    def _with_draws(self, change: Change) -> list[LadderTrend]:
        factor = np.ones(len(self.trend.values))
        for task in self.tasks:
            if task.draws and change.task in (None, task.task):
                assert change.draws is not None
                factor[task.row] = min(1.0, task.draws / change.draws)
        if (factor == 1.0).all():
            return [self.trend]
        variance = self.trend.variance * factor[:, None]
        return [self.trend.supposing(self.trend.x, self.trend.values, variance)]

    def _drawing(self, ability: Floats) -> Floats:
        """Variance (rows,) from drawing as many answers as the other rungs have."""
        variance = np.zeros(len(ability))
        for task in self.tasks:
            answers = task.draws * task.questions * usual_runs(task)
            known = task.fit.model.abilities
            variance[task.row] = known.drawing_variance(ability[task.row], answers)
        return variance


class Benches:
    """The fitted tasks of a ladder, asked for the widths of their intervals.

    fits: of the tasks that can be forecast; runs: checkpoints measured, by model; goals: the
    targets; level: of the intervals.
    """

    def __init__(
        self, fits: Iterable[Fit], runs: Mapping[str, int], goals: Sequence[Target], level: float
    ) -> None:
        self.tasks = tuple(Bench.of(fit, runs) for fit in fits)
        self.goals, self.level = tuple(goals), level
        shared: dict[int, list[Bench]] = {}
        for task in self.tasks:
            shared.setdefault(id(task.trend), []).append(task)
        self.ladders = [_Ladder(alike[0].trend, tuple(alike), runs) for alike in shared.values()]

    @classmethod
    def of(cls, made: FittedForecasts) -> Benches:
        """Those of some forecasts, on the targets that were forecast."""
        goals = {
            one.target: Target(one.target, one.compute)
            for one in made.record.forecasts
            if one.task in made.fits
        }
        runs = runs_of(made.rates)
        return cls(made.fits.values(), runs, list(goals.values()), made.record.settings.level)

    @cached_property
    def now(self) -> dict[tuple[str, str], float]:
        """Widths as they are, by task and target."""
        return {
            (task.task, goal.name): _width(task.fit.model, goal, self.level)
            for task in self.tasks
            for goal in self.goals
        }

    def after(self, change: Change) -> dict[tuple[str, str], float]:
        """Widths expected after a change, by task and target, on the scale of `now`."""
        found = dict(self.now)
        for ladder in self.ladders:
            trends = ladder.supposed(change)
            if trends == [ladder.trend]:
                continue
            for task in ladder.tasks:
                supposed = [task.fit.model.supposing(trend) for trend in trends]
                for goal in self.goals:
                    found[task.task, goal.name] = float(
                        np.mean([_width(model, goal, self.level) for model in supposed])
                    )
        return found

    def rungs(self) -> list[Model]:
        """Rungs that some task was measured on, by rising compute."""
        every = {rung.name: rung for task in self.tasks for rung in task.fit.evidence.rungs}
        return sorted(every.values(), key=lambda rung: rung.compute or 0.0)


def usual_runs(task: Bench) -> int:
    """Checkpoints of a rung of the task, their median."""
    return int(np.median([task.runs[rung.name] for rung in task.fit.evidence.rungs]))


def _width(model: COD, goal: Target, level: float) -> float:
    low, _, high = model.interval(goal.compute, level)
    return high - low


def changes_of(ladder: Ladder, benches: Benches) -> Iterator[Change]:
    """What is looked at: nothing, rungs of several sizes, checkpoints, draws, an anchor."""
    yield Change("nothing", "nothing more")
    rungs = benches.rungs()
    for compute, where in sizes([rung.compute or 0.0 for rung in rungs], benches.goals):
        yield Change("rung", f"a rung {where}", compute=compute)
    for rung in rungs[-UPPER:][::-1]:
        yield Change(
            "checkpoints",
            f"{MORE_CHECKPOINTS} more checkpoints of {rung.name}",
            compute=rung.compute,
            rung=rung,
            more=MORE_CHECKPOINTS,
        )
    sampled = [task for task in benches.tasks if task.draws]
    for one in sampled:
        more = more_draws(one.draws)
        yield Change("draws", f"{more} draws of {one.task}", task=one.task, draws=more)
    if len(sampled) > 1:
        more = more_draws(int(np.median([one.draws for one in sampled])))
        yield Change("draws", f"{more} draws of every task", draws=more)
    yield Change("anchor", "an anchor")


def more_draws(now: int) -> int:
    """The next number of draws a question that is worth a stage."""
    return next((step for step in STEPS if step > now), 4 * now)


def sizes(compute: Sequence[float], goals: Sequence[Target]) -> Iterator[tuple[float, str]]:
    """Training compute of rungs to be looked at, FLOP, and where each stands in words.

    In the widest gaps of the ladder, at its top again, and above it, below the largest target.
    """
    x = np.log(np.unique(np.asarray(compute, dtype=float)))
    gaps = np.diff(x)
    spacing = float(np.median(gaps))
    top = float(x[-1])
    goal = float(np.log(max(one.compute for one in goals)))
    places: list[tuple[float, str]] = []
    gap = len(gaps) - 1
    places.append((float(x[gap] + x[gap + 1]) / 2.0, "below the largest"))
    if int(np.argmax(gaps)) != gap:
        gap = int(np.argmax(gaps))
        places.append((float(x[gap] + x[gap + 1]) / 2.0, "in the widest gap"))
    places.append((top, "as large as the largest"))
    for above, where in (
        (top + spacing, "a step above the largest"),
        (top + 2.0 * spacing, "two steps above the largest"),
        ((top + goal) / 2.0, "halfway to the target"),
    ):
        # Nobody trains nearly the target to forecast it.
        if top + 0.25 * spacing < above <= top + 0.75 * (goal - top) and all(
            abs(above - other) > 0.25 * spacing for other, _ in places
        ):
            places.append((above, where))
    for place, where in places:
        yield float(np.exp(place)), where


def _option(
    change: Change, benches: Benches, ladder: Ladder, budget: Budget, tokens: Mapping[str, float]
) -> Option:
    flop, answers = _cost(change, benches)
    lengths = [tokens.get(task) for task, count in answers.items() if count]
    spent = (
        None
        if None in lengths
        else float(sum(count * tokens[task] for task, count in answers.items() if count))
    )
    widths = benches.after(change)
    return Option(
        kind=change.kind,
        what=change.what,
        compute=change.compute,
        params=_params(change.compute, ladder) if change.kind == "rung" else None,
        rung=change.rung.name if change.rung else None,
        task=change.task,
        draws=change.draws,
        flop=flop,
        answers=sum(answers.values()),
        tokens=spent,
        affordable=budget.holds(flop, spent),
        widths=tuple(
            Width(task=task, target=target, width=width) for (task, target), width in widths.items()
        ),
        mean_width=float(np.mean(list(widths.values()))),
    )


def _cost(change: Change, benches: Benches) -> tuple[float, dict[str, int]]:
    """Training compute in FLOP, and answers to be generated by task."""
    answers = {}
    for task in benches.tasks:
        runs = 0
        if change.kind in ("rung", "anchor"):
            runs = usual_runs(task) if change.kind == "rung" else 1
        elif change.kind == "checkpoints":
            runs = change.more
        draws = task.draws
        if change.kind == "draws" and change.task in (None, task.task) and change.draws and draws:
            runs = sum(task.runs[rung.name] for rung in task.fit.evidence.rungs)
            draws = max(change.draws - draws, 0)
        answers[task.task] = runs * draws * task.questions
    flop = change.compute if change.kind == "rung" and change.compute else 0.0
    return flop, answers


def _params(compute: float | None, ladder: Ladder) -> float | None:
    """Parameters that a model of this compute would have on the ladder's own line; None if none."""
    known = [(rung.compute, rung.params) for rung in ladder.rungs if rung.compute and rung.params]
    if compute is None or len({one for one, _ in known}) < 2:
        return None
    x, y = np.log(np.array(known, dtype=float)).T
    slope, height = np.polyfit(x, y, 1)
    return float(np.exp(height + slope * np.log(compute)))


def hopeless(options: Sequence[Option], nothing: Option, benches: Benches) -> Iterator[Hopeless]:
    """The forecasts that none of the options narrows by `WORTH`, and why."""
    for place, now in enumerate(nothing.widths):
        best = min(one.widths[place].width for one in options)
        if best < (1.0 - WORTH) * now.width:
            continue
        fit = next(one.fit for one in benches.tasks if one.task == now.task)
        goal = next(one for one in benches.goals if one.name == now.target)
        reason = _why(fit, goal)
        yield Hopeless(
            task=now.task, target=now.target, best=best, code=reason.code, reason=str(reason)
        )


def _why(fit: Fit, goal: Target) -> Reason:
    """Why no option narrows a forecast."""
    best = float(fit.model.rung_accuracy_.max())
    if best < settings.EMERGED:
        return because("plan_may_emerge", best=best)
    trend, row = fit.model.ladder_trend
    share = trend.noise_share(row, float(np.log(goal.compute)))
    if share > NOISE:
        return because("plan_noise", share=share)
    return because("plan_way", share=share)
