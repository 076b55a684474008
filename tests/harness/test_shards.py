"""Shards of a run, merged, against the whole run: every prompt, score, result and sample."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from harness_runs import DOCUMENTS, Ran, Runner

from cod_harness.errors import InputError
from cod_harness.harness.capture.shards import Share, share
from cod_harness.ladder.store import read_store

# A group, two filters, log-likelihoods, few-shot examples out of one random stream.
TASKS = "cod_t_group,cod_t_two_filters,cod_t_choice,cod_t_few"
CLONES = "f1,skill=1.0,clones=True"  # an answer that depends on the prompt alone


@pytest.fixture(scope="module")
def whole(cod_run: Runner) -> Ran:
    return cod_run(TASKS, "--log_samples", model=CLONES)


@pytest.fixture(scope="module")
def merged(cod_run: Runner, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("sharded")
    for number in range(40, 0, -1):  # in whatever order they end
        ran = cod_run(
            TASKS, "--log_samples", "--cod-shard", f"{number}/40", model=CLONES, folder=folder
        )
        assert ran.status == 0, ran.err
        assert f"answers of shard {number}/40 kept" in ran.err
    assert not list(folder.rglob("results_*")) and not ran.stores
    return cod_run(TASKS, "--log_samples", "--cod-merge", "40", model=CLONES, folder=folder)


def test_forty_shards_are_the_whole_run(whole: Ran, merged: Ran) -> None:
    assert whole.status == merged.status == 0, merged.err
    (frame, settings), (own_frame, own_settings) = (
        read_store(ran.stores[0]) for ran in (merged, whole)
    )
    assert len(frame) == 5 * DOCUMENTS
    assert frame.equals(own_frame)  # prompt hashes and rates among its columns
    # Each names the results file beside it; all else is the same.
    for ran, said in ((merged, settings), (whole, own_settings)):
        assert (ran.stores[0].parent / said.pop("results")).is_file()
    assert settings == own_settings
    apart = {"date", "total_evaluation_time_seconds", "start_time", "end_time"}
    results, own = (
        {key: value for key, value in ran.results.items() if key not in apart}
        for ran in (merged, whole)
    )
    assert results == own
    assert results["groups"]
    for task in results["configs"]:
        assert merged.samples(task) == whole.samples(task)


def test_few_shot_prompts_differ_from_question_to_question(whole: Ran) -> None:
    """Otherwise the comparison above would prove nothing of them."""
    heads = {
        row["arguments"]["gen_args_0"]["arg_0"].split("\n")[0] for row in whole.samples("cod_t_few")
    }
    assert len(heads) > 20


def test_a_missing_shard_is_named(cod_run: Runner, tmp_path: Path) -> None:
    for number in (1, 3):
        cod_run("cod_t_custom", "--cod-shard", f"{number}/4", folder=tmp_path)
    ran = cod_run("cod_t_custom", "--cod-merge", "4", folder=tmp_path)
    assert ran.status == 2
    assert "shards 2/4, 4/4 missing" in ran.err
    assert not ran.stores and not list(tmp_path.rglob("results_*"))


def test_shards_of_other_data_are_refused(
    cod_run: Runner, task_folder: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        cod_run("cod_t_custom", "--cod-shard", f"{number}/2", folder=tmp_path)
    [first, second] = sorted(tmp_path.rglob("*.jsonl.gz"))
    lines = gzip.decompress(first.read_bytes()).decode().splitlines(keepends=True)
    for kept, words in (
        (lines[:-1], f"hold {DOCUMENTS - 1} questions, the data set here {DOCUMENTS}"),
        ([*lines, lines[-1]], "not the same ones"),
        (
            [
                lines[0],
                *(json.dumps({**json.loads(line), "doc_hash": "x"}) + "\n" for line in lines[1:]),
            ],
            "not the same ones",
        ),
        ([line[:9] for line in lines], "not a readable shard"),
    ):
        first.write_bytes(gzip.compress("".join(kept).encode()))
        ran = cod_run("cod_t_custom", "--cod-merge", "2", folder=tmp_path)
        assert ran.status == 2, ran.err
        assert words in ran.err
        assert not ran.stores
    first.write_bytes(second.read_bytes()[:50])
    assert (
        "not a readable shard" in cod_run("cod_t_custom", "--cod-merge", "2", folder=tmp_path).err
    )


def test_share() -> None:
    assert share("3/40") == Share(3, 40)
    for text in ("0/3", "4/3", "3", "a/b", "-1/3"):
        with pytest.raises(InputError, match="write it as 3/40"):
            share(text)
