"""What was noticed on the way to a result: typed values, and the one place where they become text.

Why a forecast is what it is, is said by the engine's own reasons (`engine.verdicts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Values = Mapping[str, Any]


class Note(str):
    """A sentence without a full stop, with what it is made of.

    code: one of `SENTENCES`, fixed words that stand in JSON beside the sentence.  values: the
    numbers and words behind it by name.
    """

    code: str
    values: Values
    __slots__ = ("code", "values")

    def __new__(cls, code: str, values: Values) -> Note:
        made = super().__new__(cls, SENTENCES[code](values))
        made.code = code
        made.values = {
            name: value if isinstance(value, (int, float, str, Mapping)) else str(value)
            for name, value in values.items()
        }
        return made

    def __reduce__(self) -> tuple[type[Note], tuple[str, Values]]:
        """As code and values, so that a note survives the way from another process."""
        return Note, (self.code, self.values)


def note(code: str, **values: Any) -> Note:
    """The note of this code with these values."""
    return Note(code, values)


def as_note(text: str) -> Note:
    """A note as it is; a sentence of a reader from elsewhere as one without a code of its own."""
    return text if isinstance(text, Note) else note("said", text=text)


def _lacking(v: Values) -> str:
    short = ", ".join(f"{name} lacks {count}" for name, count in v["lacking"].items())
    return (
        f"{v['task']}: {v['dropped']} of {v['questions']} questions left out, not asked of every "
        f"model ({short})"
    )


def _no_match(v: Values) -> str:
    count = f"{v['files']} results file{'s' * (v['files'] != 1)}"
    return f"{count} left out, of no model of {v['ladder']}: {v['names']}"


# By code: what makes a sentence of the values.
SENTENCES: Mapping[str, Callable[[Values], str]] = {
    "said": lambda v: str(v["text"]),
    # Of stores and tables.
    "not_in_ladder": lambda v: (
        f"{v['path']}: left out: {v['names']}: not in the ladder {v['ladder']}"
    ),
    "captured_again": lambda v: (
        f"{v['path']}: {v['tasks']} on {v['models']} not used, captured again, or on more "
        f"questions, in {v['newer']}"
    ),
    "not_compared": lambda v: f"{v['problem']}; this run is not compared with it",
    # Of results files.
    "no_model_of_ladder": _no_match,
    "last_checkpoint": lambda v: (
        f"of several checkpoints of a model the last counts ({v['which']}); {v['files']} results "
        "files of earlier ones not used"
    ),
    "no_accuracy": lambda v: f"left out, no accuracy in the results: {v['tasks']} ({v['scores']})",
    "replaced_results": lambda v: f"{v['path']}: {v['tasks']} not used: {v['newer']} {v['why']}",
    "few_models": lambda v: f"left out, {v['shots']}-shot results of few models: {v['tasks']}",
    "tasks_by_shots": lambda v: (
        "models were asked with several numbers of few-shot examples: these are tasks of their "
        f"own, as {v['first']}"
    ),
    "no_rung": lambda v: f"left out, results of no rung: {v['tasks']}",
    "probabilities": lambda v: (
        f"{v['task']}: accuracies of {v['names']} left out: the other models' rates are mean "
        "probabilities of the right option"
    ),
    "anchors_without_questions": lambda v: (
        f"{v['task']}: anchors left out, no questions: {v['names']}"
    ),
    "averaged": lambda v: (
        f"{v['tasks']}: of some rungs only the accuracy is known, so the others' questions are "
        "averaged, and nothing is clustered"
    ),
    # Of logs.
    "not_used": lambda v: f"{v['path']}: not used{v['why']}",
    "known_already": lambda v: (
        f"{v['path']}: not used, its pass rates are already in a file given or found"
    ),
    "older_log": lambda v: f"{v['path']}: not used, {v['newer']} is newer",
    "misnamed_log": lambda v: (
        f"{v['path']}: not used: not named samples_TASK_DATE.jsonl as the harness names its files; "
        "rename it"
    ),
    "logs_read": lambda v: (
        f"{v['found']} samples files found, {v['read']} read ({v['size']}), {v['used']} used: "
        f"{v['questions']:,} questions"
        + "".join(f", {count:,} {what}" for what, count in v["aside"].items())
    ),
    "rates_from": lambda v: f"{v['how']}: {v['names']}",
    "settings_unknown": lambda v: (
        f"{v['path']}: {v['problem']}: version, shots and settings of that run are not checked"
    ),
    "inspect_logs_read": lambda v: (
        f"{v['found']} Inspect logs found, {v['used']} used: {v['questions']:,} questions"
    ),
    "epochs_without_score": lambda v: (
        f"{v['path']}: {v['epochs']} epochs of samples without a score"
    ),
    "logged_scores": lambda v: (
        f"{v['path']}: {v['repeats']} responses a question are logged, not re-scored: {v['why']}; "
        "their one logged score is used (n_samples = 1)"
    ),
    "cut_off": lambda v: f"{v['path']}: line {v['line']} is cut off; the lines before it are used",
    "broken_lines": lambda v: (
        v["first"]
        + (f" (and {v['lines'] - 1} more)" if v["lines"] > 1 else "")
        + "; the other lines are used"
    ),
    "cut_short": lambda v: (
        f"WARNING: {v['path']}: holds {v['there']} questions, its results file tells of "
        f"{v['told']}: it was cut short, or edited; copy it again"
    ),
    "other_definition": lambda v: (
        f"WARNING: {v['path']}: the first response's score is the logged one on only "
        f"{v['agreeing']} of {v['compared']} questions: the task is defined otherwise in this "
        "lm_eval than in the one that ran it"
    ),
    # Of runs that should have been alike.
    "set_otherwise": lambda v: f"{v['task']}: {v['what']} is {v['values']}",
    "other_content": lambda v: (
        f"{v['task']}: the {v['what']} of {v['changed']} of {v['questions']} questions differ "
        f"(the first is {v['first']!r} on {v['models']})"
    ),
    "not_asked": lambda v: (
        f"{v['task']}: of {v['questions']} questions some were not asked: {v['lacking']}"
    ),
    "run_differently": lambda v: f"models were run differently: {v['difference']}",
    "copies": lambda v: (
        f"{v['task']}: on {v['models']} all samples of a question are the same, as from one seed "
        "or a cache: they count as one sample"
    ),
    # Of what a forecast may see.
    "no_data": lambda v: f"{v['task']}: left out, no data: {v['names']}",
    "anchors_without_data": lambda v: f"{v['task']}: anchors left out, no data: {v['names']}",
    "questions_left_out": _lacking,
    "target_lacks_questions": lambda v: (
        f"{v['task']}: no measured value for {v['target']}, it lacks {v['lacking']} of "
        f"{v['questions']} questions"
    ),
    "no_forecast": lambda v: f"{v['task']}: {v['why']}",
    "clusters_from": lambda v: (
        f"clusters of {v['path']}, made by {v['method']} on the ladder {v['ladder']}"
    ),
    "clusters_not_used": lambda v: (
        f"clusters of {v['tasks']} not used: no pass rates of these tasks"
    ),
    "not_ablated": lambda v: (
        f"{v['task']}: not ablated: without samples there is nothing to cluster"
    ),
    "not_scored": lambda v: f"{v['task']}: not scored, {v['why']}",
    "no_table": lambda v: f"no {v['table']} ({v['axis']}): no anchor was measured",
    # Of registered forecasts and what was measured.
    "results_unreadable": lambda v: f"left out: {v['problem']}",
    "not_registered": lambda v: (
        f"{v['results']} results not used, of no registered target: {v['models']}"
    ),
    "task_not_measured": lambda v: f"{v['results']}: has no results on {v['task']}",
    "metric_unknown": lambda v: (
        f"{v['task']}: the forecast does not say its metric, so no value can be picked"
    ),
    "metric_not_measured": lambda v: (
        f"{v['results']}: {v['task']}: has no {v['metric']} in [0, 1]; it has "
        f"{v['others'] or 'no scores'}"
    ),
}
