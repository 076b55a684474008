"""`cod-harness score`: registered forecasts against what was measured."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cod_harness.arguments import ArgumentParser
from cod_harness.errors import InputError
from cod_harness.messages import say

_ABOUT = """\
Compare registered forecasts with a big model's ordinary results_*.json of lm-eval: errors, inside
or outside the interval, and the calibration over all entries so far. The scores are appended to
the register as an entry of their own. A register that was changed is refused, with the place."""


def parser() -> ArgumentParser:
    """The parser of `cod-harness score`."""
    made = ArgumentParser(
        prog="cod-harness score",
        examples=(
            "cod-harness score cod_register.jsonl out-70b/",
            "cod-harness score forecasts.jsonl out-70b/ --target 70b --json scores.json",
        ),
        allow_abbrev=False,
        description=_ABOUT,
    )
    made.add_argument("register", metavar="REGISTER", help="file that `register` wrote")
    made.add_argument(
        "results", nargs="+", metavar="RESULTS", help="results_*.json, or folders with some"
    )
    made.add_argument("--target", metavar="NAME", help="whose results they are")
    made.add_argument(
        "--expect", metavar="HASH", help="refuse a register without the entry of this hash"
    )
    made.add_argument(
        "--as-is",
        action="store_true",
        help="count values in the calibration that are of another quantity than the forecasts",
    )
    made.add_argument(
        "--json", metavar="FILE", help="where the JSON goes; - is standard output, then no table"
    )
    return made


def main(words: Sequence[str]) -> int:
    """Parse, check, score, print and record. Returns the exit status."""
    asked = parser().parse_args(words)

    from cod_harness.documents import register, score
    from cod_harness.documents.measured import read_results
    from cod_harness.documents.writing import json_text
    from cod_harness.evaluation.records.base import noted, provenance
    from cod_harness.evaluation.records.score import Scores
    from cod_harness.ladder.files import check_file, write_whole
    from cod_harness.report.text.score_table import score_table

    check_file(asked.json)
    entries = register.read_register(asked.register, asked.expect)
    results, left_out = read_results(asked.results)
    rows, notes = score.score_rows(entries, results, asked.target)
    notes = [*left_out, *notes]
    if not rows:
        raise InputError(
            f"{asked.register}: nothing to score"
            + (f" ({notes[0]})" if notes else "; do the results hold the forecast tasks?")
        )
    before = score.all_rows(entries, [])
    every = score.all_rows(entries, rows)
    scores = Scores(
        register=str(asked.register),
        rows=tuple(rows),
        calibration=score.calibration(every, asked.as_is),
        **noted(notes),
        **provenance(),
    )
    recorded = None
    if every != before:
        recorded = register.append(asked.register, register.RegisteredScores(scores=tuple(rows)))
    if asked.json == "-":
        sys.stdout.write(json_text(scores))
        return 0
    written = write_whole(asked.json, json_text(scores)) if asked.json else None
    print(score_table(scores))
    for note in notes:
        say(note)
    if written:
        say(f"scores written to {written}")
    if recorded:
        say(f"scores are entry {recorded.number} of {asked.register}: {recorded.hash}")
    return 0
