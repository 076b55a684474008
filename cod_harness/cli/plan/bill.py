"""What a campaign costs, before anything is spent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from cod_harness.arguments import names
from cod_harness.cli.tasks import Cost, costs
from cod_harness.errors import InputError, did_you_mean
from cod_harness.ladder.draws import SPENT
from cod_harness.ladder.files import write_whole
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.read_ladder import read_ladder
from cod_harness.report.text.grid import UNKNOWN, grid, short_amount, terminal_width

FIRST, FULL = 16, 100  # draws: of the first stage, and of the paper


@dataclass(frozen=True)
class Bill:
    """What one benchmark costs on one rung, for so many draws a question.

    draws: "16", "16:100" or "100". requests: of a server that answers n of them at once. tokens
    generated, at the length of a right answer and at most; prompt tokens, sent once a request.
    hours: None without a speed.
    """

    task: str
    draws: str
    questions: int
    requests: int
    prompt_tokens: float
    generated: float
    most_generated: float
    hours: float | None


def print_bill(path: str, tasks: str, speed: float | None, json_to: str | None) -> int:
    """Print the bill of a ladder file. Returns the exit status.

    tasks: TASK,...; speed: tokens a second of the largest model; json_to: file, "-" or None.
    """
    ladder = read_ladder(path)
    known = costs()
    bills = []
    for task in names(tasks):
        if task not in known:
            raise InputError(
                f"--tasks {task}: its length is not known; there are {', '.join(sorted(known))}"
                f"{did_you_mean(task, known)}"
            )
        bills += bills_of(known[task], speed)
    if json_to:
        document = {
            "ladder": ladder.name,
            "runs": {model.name: len(model.runs()) for model in _run(ladder)},
            "per_run": [asdict(bill) for bill in bills],
        }
        text = json.dumps(document, indent=1)
        if json_to == "-":
            print(text)
            return 0
        write_whole(json_to, text + "\n")
    print("\n".join(told(ladder, bills)))
    return 0


def bills_of(cost: Cost, speed: float | None) -> list[Bill]:
    """One benchmark on one rung: in one stage, in two, in full."""
    made = []
    for draws, share in ((str(FIRST), FIRST / FULL), (f"{FIRST}:{FULL}", SPENT), (str(FULL), 1.0)):
        answers = share * FULL * cost.generated_questions
        generated = answers * cost.answer_tokens
        # Few questions, on the largest rungs, are asked a second time; here the mean over rungs.
        requests = cost.questions
        if draws == f"{FIRST}:{FULL}":
            further = (SPENT - FIRST / FULL) / (1 - FIRST / FULL)
            requests += round(further * cost.generated_questions)
        made.append(
            Bill(
                cost.task,
                draws,
                cost.questions,
                requests,
                requests * cost.prompt_tokens,
                generated,
                answers * cost.most_tokens,
                generated / speed / 3600 if speed else None,
            )
        )
    return made


def told(ladder: Ladder, bills: Sequence[Bill]) -> list[str]:
    """The table, and what all rungs cost together."""
    runs = sum(len(model.runs()) for model in _run(ladder))
    header = ("Task", "Draws", "Questions", "Requests", "Prompts", "Generated", "At most", "Hours")
    rows = [
        (
            bill.task,
            bill.draws,
            f"{bill.questions:,}",
            f"{bill.requests:,}",
            short_amount(bill.prompt_tokens),
            short_amount(bill.generated),
            short_amount(bill.most_generated),
            UNKNOWN if bill.hours is None else f"{bill.hours:.2g}",
        )
        for bill in bills
    ]
    lines = ["On one rung", "", *grid(header, rows, terminal_width())]
    lines += ["", *_by_model(ladder, bills)]
    lines += ["", f"All {runs} runs of {ladder.name}: rungs, checkpoints, anchors and targets"]
    for draws in dict.fromkeys(bill.draws for bill in bills):
        some = [bill for bill in bills if bill.draws == draws]
        prompts = short_amount(runs * sum(b.prompt_tokens for b in some))
        generated = short_amount(runs * sum(b.generated for b in some))
        line = f"  {draws + ' draws:':<14}{prompts} tokens of prompts, {generated} generated"
        hours = sum(_slowness(model, ladder) * len(model.runs()) for model in _run(ladder))
        hours *= sum(bill.hours or 0.0 for bill in some)
        lines.append(line + (f", {hours:.3g} hours" if hours else ""))
    lines += ["", "Requests and prompts: with n samples to a request, as runs ask for them."]
    return lines


def _by_model(ladder: Ladder, bills: Sequence[Bill]) -> list[str]:
    """Generated tokens and hours of each model, all tasks together."""
    ways = list(dict.fromkeys(bill.draws for bill in bills))
    rows = []
    for model in _run(ladder):
        cells = [model.name, str(len(model.runs()))]
        for draws in ways:
            some = [bill for bill in bills if bill.draws == draws]
            tokens = len(model.runs()) * sum(bill.generated for bill in some)
            hours = len(model.runs()) * sum(bill.hours or 0.0 for bill in some)
            hours *= _slowness(model, ladder)
            cells.append(short_amount(tokens) + (f", {hours:.2g} h" if hours else ""))
        rows.append(cells)
    return grid(("Model", "Runs", *(f"{draws} draws" for draws in ways)), rows, terminal_width())


def _slowness(model: Model, ladder: Ladder) -> float:
    """Time for a token, as a share of the largest model's: writing one reads every weight once."""
    sizes = [other.params for other in _run(ladder) if other.params]
    return model.params / max(sizes) if model.params and sizes else 1.0


def _run(ladder: Ladder) -> list[Model]:
    """The models that a campaign runs; all rungs where none says how."""
    return [model for model in ladder.models if model.model] or list(ladder.rungs)
