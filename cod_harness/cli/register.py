"""`cod-harness register`: a forecast written down before the fact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cod_harness.arguments import ArgumentParser
from cod_harness.errors import InputError
from cod_harness.messages import say

_ABOUT = """\
Append a forecast to a register: a plain file of dated, hashed entries, each chained to the one
before, that belongs into version control. `cod-harness score` compares it with results later.
A register that was changed is refused. Publish the printed hash to pin all entries up to it."""


def parser() -> ArgumentParser:
    """The parser of `cod-harness register`."""
    made = ArgumentParser(
        prog="cod-harness register",
        examples=(
            "cod-harness register out",
            "cod-harness register forecast.json --register forecasts.jsonl",
        ),
        allow_abbrev=False,
        description=_ABOUT,
    )
    made.add_argument("document", metavar="FORECAST.json", help="a forecast, or a folder with one")
    made.add_argument(
        "--register", "-r", metavar="FILE", help="default: cod_register.jsonl in this folder"
    )
    made.add_argument(
        "--again", action="store_true", help="register a forecast although it is there already"
    )
    return made


def main(words: Sequence[str]) -> int:
    """Parse, check and append. Returns the exit status."""
    asked = parser().parse_args(words)

    from cod_harness.documents import register
    from cod_harness.documents.reading import found, read_document, targets_of
    from cod_harness.evaluation.records.forecast import Forecasts

    document = found(asked.document)
    read = read_document(document, Forecasts)
    say(f"registering {document}: forecasts for {targets_of(read.record)}")
    path = Path(asked.register or register.DEFAULT_REGISTER)
    body = register.registered(read)
    if not asked.again and path.exists() and path.stat().st_size:
        for entry in register.read_register(path):
            if register.says(entry, body):
                raise InputError(
                    f"{asked.document}: is entry {entry.number} of {path} already; give --again "
                    "to register it once more"
                )
    entry = register.append(path, body)
    known = sorted({one.task for one in read.record.forecasts if one.observed is not None})
    if known:
        say(
            f"note: {', '.join(known)}: measured already when this was registered; the entry "
            "cannot show foresight"
        )
    made = sum(one.mean is not None for one in body.forecasts)
    print(
        f"entry {entry.number} of {path}: forecasts {made}, abstentions "
        f"{len(body.forecasts) - made}\n{entry.hash}"
    )
    return 0
