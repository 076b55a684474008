"""The ablations as tables for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from cod_harness.evaluation.records.ablation import Ablation, AblationAxis, AblationRow
from cod_harness.report.text.grid import UNKNOWN, grid, terminal_width

Column = tuple[str, str, int]  # header, field of the row, digits

_EE: Column = ("EE", "ee", 2)
_FE: tuple[Column, ...] = (("FE", "fe", 2), ("FE max", "fe_max", 2))
_SAME: Mapping[str, Column] = {"ee": ("EE same", "ee_common", 2), "fe": ("FE same", "fe_common", 2)}
# Neither the map nor its anchors touch the predictable subset, hence no EE there.
_SHOWN: Mapping[str, tuple[Column, ...]] = {
    "clustering": (("k", "clusters", 1), ("IAD", "iad", 3), ("OR", "outliers", 1), _EE, *_FE),
    "law": (("TR", "tr", 1), _EE, *_FE),
    "thresholds": (("TR", "tr", 1), _EE, *_FE),
    "map": (("Pieces", "map_pieces", 1), ("RMSE", "map_rmse", 4), *_FE),
    "anchors": _FE,
}
_LEGEND = {
    "k": "clusters",
    "IAD": "mean distance of a clustered question to the centre of its cluster",
    "OR": "share of questions that are outliers, of those ever answered, percent",
    "TR": "share of questions in the predictable subset, percent",
    "RMSE": "of the map at the (subset, full) points, accuracy",
    "EE": "absolute error on the predictable subset, points",
    "FE": "absolute error on the whole benchmark, points",
    "Made": "forecasts made, of those asked for; the others abstain",
    "same": "over the forecasts that every variant of the table makes",
}


def ablation_table(ablation: Ablation, by_task: bool = False, width: int | None = None) -> str:
    """The axes of an ablation as plain text: a table each, then a legend.

    Args:
        ablation: the record.
        by_task: also the signed error of every forecast, FE, one line per task and model.
        width: columns to fit; that of the terminal if None, and 80 where there is none.

    Returns:
        Lines without a newline at the end.
    """
    if width is None:
        width = terminal_width()
    blocks: list[str] = []
    headers: set[str] = set()
    for name, axis in ablation.axes.items():
        columns = _columns(name, axis.rows)
        # "FE max" explains itself; "FE same" is explained as "same".
        headers |= {header.rpartition(" ")[2] for header, _, _ in columns}
        lines = _summary(axis, columns, ablation.base, width)
        if by_task:
            lines += _by_task(axis, width)
        blocks.append("\n".join(lines))
    told = [f"{name}: {about}" for name, about in _LEGEND.items() if name in {*headers, "Made"}]
    text = f"{'; '.join(told)}. *: the paper's choice."
    blocks.append("\n".join(textwrap.wrap(text, width, break_on_hyphens=False)))
    return "\n\n".join(blocks)


def _columns(name: str, rows: Sequence[AblationRow]) -> list[Column]:
    columns = list(_SHOWN[name])
    # Means over different forecasts do not compare; these do.
    if rows[0].common and any(row.forecasts != row.common for row in rows):
        columns += [same for key, same in _SAME.items() if key in [key for _, key, _ in columns]]
    return columns


def _summary(axis: AblationAxis, columns: Sequence[Column], base: str, width: int) -> list[str]:
    headers = ["Variant", *(header for header, _, _ in columns), "Made"]
    cells = [
        [
            row.variant + " *" * (row.variant == axis.reference),
            *(_number(getattr(row, key), digits) for _, key, digits in columns),
            f"{row.forecasts}/{row.forecasts + row.abstentions}",
        ]
        for row in axis.rows
    ]
    title = f"{axis.table}: {axis.title}, by {base}, {_counted(axis)}"
    lines = textwrap.wrap(title, width, break_on_hyphens=False)
    return [*lines, "", *grid(headers, cells, width)]


def _counted(axis: AblationAxis) -> str:
    """What the means are over, in words."""
    tasks = {one.task for one in axis.forecasts}
    words = [f"{len(tasks)} task{'s' * (len(tasks) != 1)}"]
    for role, what in (("target", "measured"), ("rung", "held out")):
        names = dict.fromkeys(one.target for one in axis.forecasts if one.role == role)
        if names:
            words.append(f"{' and '.join(names)} {what}")
    return ", ".join(words)


def _by_task(axis: AblationAxis, width: int) -> list[str]:
    variants = [row.variant for row in axis.rows]
    lines: list[str] = []
    for target in dict.fromkeys(one.target for one in axis.forecasts):
        errors: dict[str, dict[str, str]] = {}
        for one in axis.forecasts:
            if one.target == target:
                errors.setdefault(one.task, {})[one.variant] = _signed(one.fe)
        cells = [[task, *(found[name] for name in variants)] for task, found in errors.items()]
        title = f"Forecast of {target} minus measured, points"
        lines += ["", title, *grid(["Task", *variants], cells, width)]
    return lines


def _signed(value: float | None) -> str:
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return UNKNOWN if value is None else f"{round(value, 1) + 0.0:+.1f}"


def _number(value: float | None, digits: int) -> str:
    return UNKNOWN if value is None else f"{value:.{digits}f}"
