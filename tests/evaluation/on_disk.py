"""Forecasts, backtests and ablations as they lie on disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cod_harness.documents.writing import json_text
from cod_harness.evaluation.ablation import ablate_ladder
from cod_harness.evaluation.backtest import BacktestOptions, backtest_ladder
from cod_harness.evaluation.forecasts import ForecastOptions, forecast_ladder
from cod_harness.evaluation.records.base import Record
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.passrates import PassRates

Document = dict[str, Any]


def on_disk(record: Record) -> Document:
    document: Document = json.loads(json_text(record))
    return document


def forecast_document(
    rates: PassRates, ladder: Ladder, methods: Sequence[str] = ("cod",), **options: Any
) -> Document:
    made = forecast_ladder(rates, ladder, ForecastOptions(methods=methods, **options))
    return on_disk(made.with_curves())


def backtest_document(
    rates: PassRates,
    ladder: Ladder,
    methods: Sequence[str] | None = None,
    processes: int = 1,
    progress: Any = lambda done, total: None,
    **options: Any,
) -> Document:
    asked = BacktestOptions(methods=methods, **options)
    made = backtest_ladder(rates, ladder, asked, processes=processes, progress=progress)
    return on_disk(made)


def ablation_document(
    rates: PassRates, ladder: Ladder, what: Sequence[str] | None = None, **options: Any
) -> Document:
    return on_disk(ablate_ladder(rates, ladder, what, **options))
