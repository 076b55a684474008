"""Write what the demo shows into the documentation: `python docs/make_demo.py OUT`.

OUT is what `cod-harness demo --output_path OUT` has filled. docs/demo.txt and the README get what
the demo ends with, docs/demo.png the page's eight curves.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cod_harness.evaluation.records.forecast import Forecasts

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
_MARKS = "<!-- demo output: made by docs/make_demo.py -->\n", "<!-- end of demo output -->\n"
_COLUMNS = 4
_SIZE = (230, 170)  # of one curve
_SCALE = 2.0


def curves(record: Forecasts) -> bytes:
    """The accuracy charts of all tasks in one PNG."""
    import altair
    import vl_convert

    from cod_harness.report.charts.forecast import accuracy_chart
    from cod_harness.report.charts.theme import COLOURS, concrete

    method = record.settings.methods[0]
    charts = []
    for task, about in record.tasks.items():
        entries = [one for one in record.forecasts if (one.task, one.method) == (task, method)]
        chart = accuracy_chart(about, entries)
        if chart is not None:
            charts.append(chart.properties(title=task, width=_SIZE[0], height=_SIZE[1]))
    spec = altair.concat(*charts, columns=_COLUMNS).to_dict(validate=False)
    spec["background"], spec["padding"] = COLOURS["card"][0], 12
    plain = json.loads(concrete(json.dumps(spec)))
    return bytes(vl_convert.vegalite_to_png(plain, scale=_SCALE))


def in_readme(ending: str) -> str:
    """The README with the demo's ending between its marks."""
    begin, end = _MARKS
    before, _, rest = README.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}```\n{ending}\n```\n{end}{after}"


def main() -> None:
    from cod_harness.cli.demo import LADDER, ending
    from cod_harness.cli.outlook import make_forecast
    from cod_harness.engine import METHODS
    from cod_harness.ladder.read_ladder import read_ladder

    ladder = read_ladder(LADDER)
    made = make_forecast(Path(sys.argv[1]), ladder, methods=list(METHODS))
    if made is None:
        sys.exit(f"{sys.argv[1]}: no demo has been run into it")
    said = ending(made.record, ladder)
    (HERE / "demo.txt").write_text(said + "\n", encoding="utf-8")
    README.write_text(in_readme(said), encoding="utf-8")
    (HERE / "demo.png").write_bytes(curves(made.record))


if __name__ == "__main__":
    main()
