"""Whose results a file holds: the ladder's models by what files call theirs.

Certain are the run of ours that names its rung, and `model_args` in the ladder. Else the name of a
ladder entry has to stand in the model's name, between separators: `1.4b` in
`EleutherAI/pythia-1.4b`. What stands around it must be alike for all entries, so that
`pythia-1.4b-deduped` is not taken for `1.4b` where the others are `pythia-70m`, `pythia-160m`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Ladder
from cod_harness.ladder.model_args import argument
from cod_harness.ladder.results.files import ResultsFile
from cod_harness.notes import Note, note

RUNG = "{rung}"
_SHOWN = 4


@dataclass(frozen=True)
class Whose:
    """A ladder entry that a file is of.

    Attributes:
        model: its name.
        checkpoint: which of its neighbouring checkpoints; "" for the model itself.
        exact: whether the entry means this very checkpoint; else the last that is there counts.
    """

    model: str
    checkpoint: str = ""
    exact: bool = False


@dataclass(frozen=True)
class _Found:
    """An entry's name inside a name, and what stands around it."""

    entry: str
    before: str
    after: str
    exact: bool


def matched(
    files: Sequence[ResultsFile], ladder: Ladder, pattern: str | None = None
) -> tuple[dict[ResultsFile, Whose], list[Note]]:
    """The ladder entry of each file, of those that have one, and notes on the others.

    Args:
        files: results files.
        ladder: its entries.
        pattern: how files call the entries: a text in which `{rung}` stands for the entry's name
            and `*` for anything, held against model names, `model@revision` and ends of paths;
            None to find out.

    Raises:
        InputError: the pattern lacks `{rung}`, or fits no file.
    """
    if pattern is not None:
        found = _by_pattern(files, ladder, pattern)
    else:
        found = _certain(files, ladder)
        found |= _by_name([one for one in files if one not in found], ladder)
    others = [one for one in files if one not in found]
    return found, _left_out(others, ladder) if others else []


def _left_out(others: Sequence[ResultsFile], ladder: Ladder) -> list[Note]:
    names = list(dict.fromkeys(one.names[0] if one.names else str(one.path) for one in others))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    shown, where = ", ".join(names[:_SHOWN]) + more, ladder.path or ladder.name
    return [note("no_model_of_ladder", files=len(others), ladder=where, names=shown)]


def _by_pattern(
    files: Sequence[ResultsFile], ladder: Ladder, pattern: str
) -> dict[ResultsFile, Whose]:
    if pattern.count(RUNG) != 1:
        raise InputError(
            f"--match {pattern}: write {RUNG} once, where the name of the ladder's model stands, "
            f"as in 'EleutherAI/pythia-{RUNG}' or '{RUNG}/results_*.json'"
        )
    entries = sorted((model.name for model in ladder.models), key=len, reverse=True)
    before, after = (
        ".*".join(re.escape(part) for part in side.split("*")) for side in pattern.split(RUNG)
    )
    names = "|".join(map(re.escape, entries))
    # Of a path the end counts, from any folder on.
    whole = re.compile(f"(?:.*/)?{before}({names}){after}", re.IGNORECASE)
    by_name = {name.casefold(): name for name in entries}
    found = {}
    for one in files:
        exact = [f"{name}@{one.revision}" for name in one.names] if one.revision else []
        for text in (*one.names, one.path.as_posix(), *exact):
            fits = whole.fullmatch(text)
            if fits:
                found[one] = Whose(by_name[fits[1].casefold()], exact=text in exact)
                break
    if not found and files:
        raise InputError(
            f"--match {pattern}: fits none of {len(files)} results files; the first is "
            f"{files[0].path}, of {files[0].label}; the ladder has {', '.join(entries)}"
        )
    return found


def _certain(files: Sequence[ResultsFile], ladder: Ladder) -> dict[ResultsFile, Whose]:
    known = {model.name for model in ladder.models}
    found = {}
    for one in files:
        captured = one.content.get("cod")
        captured = captured if isinstance(captured, Mapping) else {}
        if captured.get("ladder") == ladder.name and captured.get("rung") in known:
            checkpoint = str(captured.get("checkpoint") or "")
            found[one] = Whose(str(captured["rung"]), checkpoint, exact=True)
            continue
        located = ladder.locate(one.model_args) if one.model_args else None
        if located is not None:
            model, checkpoint = located
            told = argument(model.model_args or "", "revision")
            found[one] = Whose(model.name, checkpoint, exact=bool(checkpoint or told))
    return found


def _by_name(files: Sequence[ResultsFile], ladder: Ladder) -> dict[ResultsFile, Whose]:
    entries = {_plain(model.name): model.name for model in ladder.models}
    entries.pop("", None)
    options = {one: list(_options(one, list(entries))) for one in files}
    # What stands behind the name tells variants of a family apart; before it stands the family.
    after = _commonest((found.after, found.entry) for some in options.values() for found in some)
    options = {
        one: [found for found in some if found.after == after] for one, some in options.items()
    }
    sizes = _entries_by((found.before, found.entry) for some in options.values() for found in some)
    best: dict[str, str] = {}
    for some in options.values():
        for found in some:
            known = best.setdefault(found.entry, found.before)
            if _rank(found.before, sizes) > _rank(known, sizes):
                best[found.entry] = found.before
    whose = {}
    for one, some in options.items():
        fits = [found for found in some if best[found.entry] == found.before]
        if fits:
            chosen = max(fits, key=lambda found: (len(found.entry), found.exact))
            whose[one] = Whose(entries[chosen.entry], exact=chosen.exact)
    return whose


def _options(one: ResultsFile, entries: Sequence[str]) -> Iterator[_Found]:
    """Every way in which an entry's name stands in a file's names of its model, else its path."""
    for names in (one.names, one.places):
        some = list(_inside(names, one.revision, entries))
        if some:
            yield from some
            return


def _inside(names: Sequence[str], revision: str, entries: Sequence[str]) -> Iterator[_Found]:
    for name in dict.fromkeys(map(_plain, names)):
        whole = f"{name}-{_plain(revision)}" if revision else name
        for entry in entries:
            for text in dict.fromkeys((name, whole)):
                for place in re.finditer(rf"(?<![\w.+]){re.escape(entry)}(?![\w.+])", text):
                    if text == whole != name and place.end() <= len(name):
                        continue  # the same as without the checkpoint
                    exact = text == whole != name
                    yield _Found(entry, text[: place.start()], text[place.end() :], exact)


def _plain(name: str) -> str:
    """A name in small letters, all separators alike."""
    return re.sub(r"[^a-z0-9.+]+", "-", name.casefold()).strip("-")


def _entries_by(pairs: Iterator[tuple[str, str]]) -> Counter[str]:
    """How many different entries each text stands beside."""
    return Counter(text for text, _ in dict.fromkeys(pairs))


def _rank(text: str, sizes: Counter[str]) -> tuple[int, int, str]:
    return sizes[text], -len(text), text


def _commonest(pairs: Iterator[tuple[str, str]]) -> str:
    sizes = _entries_by(pairs)
    return max(sizes, key=lambda text: _rank(text, sizes), default="")
