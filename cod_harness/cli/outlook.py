"""The forecast after a run, once an output folder holds enough rungs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cod_harness.engine.methods import DEFAULT_METHOD
from cod_harness.ladder.manifest import Ladder
from cod_harness.messages import say
from cod_harness.progress import progress_bar

if TYPE_CHECKING:
    from cod_harness.evaluation.records.forecast import Forecasts


@dataclass(frozen=True)
class Made:
    """A forecast that has been made and written. page: None where none could be drawn."""

    record: Forecasts
    path: Path
    page: Path | None


class Outlook:
    """What follows a captured run (`capture.FollowUp`): the forecast, made once and shown."""

    def __init__(self, allow_mismatch: bool = False) -> None:
        self._allow_mismatch = allow_mismatch
        self._made: Made | None = None

    def track(self, folder: Path, ladder: Ladder) -> None:
        """With a tracker's run open, forecast now: the harness closes it before the end."""
        from cod_harness.report import trackers

        if trackers.open_runs():
            self._made = make_forecast(folder, ladder, self._allow_mismatch)
            if self._made is not None:
                trackers.log(self._made.record, self._made.page)

    def show(self, folder: Path, ladder: Ladder) -> None:
        """The forecast's files and table; nothing while there are too few rungs."""
        made = self._made or make_forecast(folder, ladder, self._allow_mismatch)
        if made is not None:
            show(made)


def make_forecast(
    folder: Path,
    ladder: Ladder,
    allow_mismatch: bool = False,
    methods: Sequence[str] = (DEFAULT_METHOD,),
) -> Made | None:
    """Forecast the ladder's targets from a folder; JSON and page go into it.

    None while fewer rungs have been measured than a forecast needs, or if the ladder names no
    target. Raises InputError where the pass rates cannot be used.
    """
    from cod_harness.documents.writing import write_record
    from cod_harness.engine.settings import MIN_RUNGS
    from cod_harness.evaluation.forecasts import ForecastOptions, forecast_ladder
    from cod_harness.ladder.read_passrates import read_passrates
    from cod_harness.ladder.store import stores_in
    from cod_harness.report.page.beside import page_beside

    stores, unreadable = stores_in(folder, ladder.name)
    for problem in unreadable:
        say(f"left out: {problem}")
    rungs = {model.name for model in ladder.rungs}
    measured = {model for store in stores for model, _, _ in store.captures()} & rungs
    if len(measured) < MIN_RUNGS or not ladder.targets:
        return None
    # Only this ladder's stores: another ladder's runs may share the folder.
    rates = read_passrates([store.path for store in stores], ladder)
    command = ["cod-harness", "forecast", str(folder), "--ladder", str(ladder.path or ladder.name)]
    command += ["--allow-mismatch"] if allow_mismatch else []
    with progress_bar("forecast", "task") as progress:
        options = ForecastOptions(methods=tuple(methods), allow_mismatch=allow_mismatch)
        record = forecast_ladder(rates, ladder, options, command, progress).with_curves()
    return Made(record, write_record(record, folder), page_beside(record, folder))


def worth_drawing(folder: Path, ladder: Ladder, draws: int, allow_mismatch: bool) -> list[str]:
    """The tasks of a folder whose intervals so many draws a question may narrow, by the engine.

    Those that cannot be forecast yet are among them. Raises InputError where the pass rates cannot
    be used.
    """
    from cod_harness.evaluation.forecasts import ForecastOptions, forecast_ladder
    from cod_harness.evaluation.planning import settled
    from cod_harness.ladder.read_passrates import read_passrates
    from cod_harness.ladder.store import stores_in

    stores, _ = stores_in(folder, ladder.name)
    rates = read_passrates([store.path for store in stores], ladder)
    if not ladder.targets:
        return list(rates.tasks)
    made = forecast_ladder(rates, ladder, ForecastOptions(allow_mismatch=allow_mismatch))
    enough = settled(made, draws)
    if enough:
        say(f"more draws would not narrow the intervals of {', '.join(enough)}: noise of the rungs")
    return [task for task in rates.tasks if task not in enough]


def show(made: Made) -> None:
    """The table on standard output, notes and files on standard error."""
    from cod_harness.report.text.terminal import print_forecast

    print_forecast(made.record.forecasts)
    for note in made.record.settings.notes:
        say(note)
    say(f"forecast written to {made.path}")
    if made.page:
        say(f"report written to {made.page}")
