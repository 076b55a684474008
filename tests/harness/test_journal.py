"""Samples kept as they arrive: a run killed anywhere goes on by the same command."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cod_harness.errors import InputError
from cod_harness.harness.sampling.journal import JOURNAL_FOLDER, Journal, key_of
from cod_harness.harness.sampling.repeated import BAR, repeated_requests
from cod_harness.ladder.store import read_store

HERE = Path(__file__).parent
QUESTIONS, REPEATS = 100, 4
KEY = key_of("a prompt", {"temperature": 1.0})


def opened(folder: Path, **request: Any) -> Journal:
    return Journal(folder, "f1", "", request, rank=0)


def test_what_was_recorded_is_handed_out_once(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.add(KEY, ["one", "two"])
    journal.add(KEY, ["three\n\u2028\ud800"])
    journal.close()
    again = opened(tmp_path)
    assert again.recorded == 3
    assert again.taken(KEY, 2) == ["one", "two"]
    assert again.taken(KEY, 2) == ["three\n\u2028\ud800"]
    assert again.taken(KEY, 1) == []


def test_a_line_cut_anywhere_is_dropped_and_written_over(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.add(KEY, ["one"])
    whole = journal.path.read_bytes()
    journal.add(KEY, ["two"])
    journal.close()
    full = journal.path.read_bytes()
    for cut in range(len(whole), len(full)):
        journal.path.write_bytes(full[:cut])
        again = opened(tmp_path)
        assert again.recorded == 1, cut
        again.add(KEY, ["other"])
        again.close()
        assert opened_and_closed(tmp_path) == ["one", "other"]


def opened_and_closed(folder: Path) -> list[str]:
    journal = opened(folder)
    found = journal.taken(KEY, 2)
    journal.close()
    return found


def test_a_cut_in_the_first_line_begins_anew(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.close()
    journal.path.write_bytes(journal.path.read_bytes()[:10])
    assert opened(tmp_path).recorded == 0
    assert json.loads(journal.path.read_text())["schema"] == "cod-journal/1"


def test_other_settings_have_a_journal_of_their_own(tmp_path: Path) -> None:
    first = opened(tmp_path, settings=["top_p 0.7"])
    first.add(KEY, ["one"])
    assert opened(tmp_path, settings=["top_p 0.9"]).recorded == 0


def test_two_runs_of_one_thing_at_a_time_are_refused(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    with pytest.raises(InputError, match="another process is making this very run"):
        opened(tmp_path)
    journal.close()
    opened(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_FOLDER).write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        opened(tmp_path)


def test_a_full_disk_ends_the_journal_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = opened(tmp_path)

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    journal.add(KEY, ["one"])
    journal.add(KEY, ["two"])
    assert capsys.readouterr().err.count("No space left on device") == 1


class Model:
    """Reports texts, or does not; notes how many requests a call had."""

    def __init__(self, reports: bool) -> None:
        from lm_eval.api.model import CacheHook

        self.cache_hook, self.reports, self.calls = CacheHook(None), reports, []
        self.rank, self.world_size = 0, 1

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        self.calls.append(len(requests))
        texts = [f"{request.args[0]} {at}" for at, request in enumerate(requests)]
        for request, text in zip(requests, texts, strict=True) if self.reports else ():
            self.cache_hook.add_partial("generate_until", request.args, text)
        return texts


def bars(said: str) -> list[tuple[str, str]]:
    """How far the bar of all questions was, each time it was shown."""
    return re.findall(rf"{BAR}: .*? (\d+)/(\d+) \[", said)


@pytest.mark.parametrize("reports", [True, False])
def test_every_text_is_kept_once(
    tmp_path: Path, reports: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"temperature": 1.0}
    lm: Any = Model(reports)
    # Two of the questions have one prompt.
    asked = [SimpleNamespace(args=(f"q{at % 99}", settings)) for at in range(100)]
    clones = [request for request in asked for _ in range(3)]
    with repeated_requests(lm, lambda rank: opened(tmp_path), 128):
        texts = lm.generate_until(clones)
    assert len(lm.calls) == (2 if reports else 4)  # the first 32 questions, then the others
    # However many calls it took, the bar counts all questions.
    shown = bars(capsys.readouterr().err)
    assert shown[0] == ("0", "100") and shown[-1] == ("100", "100")
    journal = opened(tmp_path)
    assert journal.recorded == 300
    kept = [journal.taken(key_of(*request.args), 3) for request in asked]
    assert sorted(text for found in kept for text in found) == sorted(texts)


def test_the_bar_begins_with_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"temperature": 1.0}
    asked = [SimpleNamespace(args=(f"q{at}", settings)) for at in range(50)]
    journal = opened(tmp_path)
    for request in asked[:20]:
        journal.add(key_of(*request.args), ["one", "two"])
    journal.add(key_of(*asked[20].args), ["one"])  # the other is still to come
    journal.close()
    lm: Any = Model(reports=True)
    heard: list[str] = []
    plain = lm.generate_until

    def listening(requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        assert disable_tqdm  # one bar, not two
        heard.append(capsys.readouterr().err)
        return list(plain(requests))

    lm.generate_until = listening
    with repeated_requests(lm, lambda rank: opened(tmp_path), 128):
        lm.generate_until([request for request in asked for _ in range(2)])
    assert bars(heard[0])[-1] == ("20", "50")
    assert bars(capsys.readouterr().err)[-1] == ("50", "50")


Again = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def killed_and_again(ladder_file: Path, task_folder: Path) -> Iterator[Again]:
    """Runs the command, kills it after so many questions; gives its status and what it said."""
    server = subprocess.Popen(
        [sys.executable, str(HERE / "slow_main.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    assert server.stdin is not None and server.stdout is not None
    told = server.stdout

    def go(folder: Path, after: int | None, more: str = "") -> tuple[int, str]:
        asked = folder / "asked"
        asked.touch()
        before = len(asked.read_text().splitlines())
        words = ["run", "--model", "cod-slow", "--model_args", f"pretrained=f1{more}"]
        words += ["--tasks", "cod_t_two_filters", "--limit", str(QUESTIONS)]
        words += ["--include_path", str(task_folder), "--cod-include-only"]
        words += ["--output_path", str(folder / "out"), "--cod", str(ladder_file)]
        words += ["--cod-rung", "f1", "--cod-repeats", str(REPEATS)]
        words += ["--cod-no-forecast", "--log_samples"]
        request = {"words": words, "said": str(folder / "said"), "asked": str(asked)}
        server.stdin.write(json.dumps(request).encode() + b"\n")
        process = int(told.readline())
        while after is not None and not select.select([told], [], [], 0.005)[0]:
            if len(asked.read_text().splitlines()) - before >= after:
                os.kill(process, signal.SIGKILL)
                break
        status = int(told.readline())
        return status, (folder / "said").read_text()

    yield go
    server.stdin.close()
    assert server.wait(60) == 0


@pytest.mark.slow
def test_killed_at_ten_points(tmp_path: Path, killed_and_again: Again) -> None:
    """Ten kills of one run: at each, at most the question at hand is asked again."""
    for _ in range(10):
        status, _ = killed_and_again(tmp_path, 9)
        assert status == -signal.SIGKILL
        assert not list((tmp_path / "out").rglob("cod_passrates_*"))
    status, said = killed_and_again(tmp_path, None)
    assert status == 0, said
    assert "samples are there from before" in said
    asked = (tmp_path / "asked").read_text().split()
    assert set(asked) == {str(at) for at in range(QUESTIONS)}
    assert len(asked) <= QUESTIONS + 10 + 2  # and the question that stands twice
    [store] = (tmp_path / "out").rglob("cod_passrates_*")
    frame, settings = read_store(store)
    assert set(frame["n_samples"]) == {REPEATS}
    assert settings["tasks"]["cod_t_two_filters"]["same_answer"] == QUESTIONS
    [log] = (tmp_path / "out").rglob("samples_*.jsonl")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert all(len(row["resps"][0]) == REPEATS for row in rows)
    assert not (tmp_path / "out" / JOURNAL_FOLDER).exists()


@pytest.mark.slow
def test_a_model_that_tells_nothing_loses_a_part(tmp_path: Path, killed_and_again: Again) -> None:
    more = ",reports=False"
    status, _ = killed_and_again(tmp_path, 50, more)
    assert status == -signal.SIGKILL
    status, said = killed_and_again(tmp_path, None, more)
    assert status == 0, said
    asked = (tmp_path / "asked").read_text().split()
    assert QUESTIONS < len(asked) <= QUESTIONS + 32
