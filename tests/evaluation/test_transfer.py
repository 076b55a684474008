"""Clusters as a file: the round trip, transfer to another ladder, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ladders import simulated
from on_disk import Document, forecast_document
from test_forecasts import validated

from cod_harness.cli import main
from cod_harness.engine import COD, METHODS
from cod_harness.errors import InputError
from cod_harness.evaluation.forecasts import ForecastOptions, forecast_ladder
from cod_harness.evaluation.transfer import SavedClusters
from cod_harness.ladder.manifest import Ladder, Model
from cod_harness.ladder.passrates import PassRates

COMPUTE = (4e19, 1.2e20, 3e20, 7e20, 1.4e21)


def family(name: str) -> Ladder:
    rungs = [Model(f"{name}{i}", "rung", compute=c) for i, c in enumerate(COMPUTE)]
    return Ladder(name, tuple(rungs), (), (Model(f"{name}-big", "target", compute=1e23),))


def table(name: str, seed: int = 0, tasks: tuple[str, ...] = ("t", "u")) -> pd.DataFrame:
    """Rates of a family: the same questions in all, answered a little differently."""
    parts = []
    for number, task in enumerate(tasks):
        rates = simulated(10 * seed + number, per_kind=24, draws=50, spread=0.2)
        for column in range(len(COMPUTE)):
            columns = {
                "question": [f"q{i}" for i in range(len(rates))],
                "doc_hash": [f"{task}-{i}" for i in range(len(rates))],
                "n_correct": (50 * rates[:, column]).round(),
            }
            model = f"{name}{column}"
            parts.append(pd.DataFrame({"task": task, "model": model, "n_samples": 50, **columns}))
    return pd.concat(parts, ignore_index=True)


def saved(rates: PassRates, ladder: Ladder, method: str = "cod-paper") -> SavedClusters:
    return forecast_ladder(rates, ladder, ForecastOptions([method])).clusters()


def without_intervals(recipe: Callable[[], COD]) -> Callable[[], COD]:
    return lambda: recipe().set_params(n_replicates=0)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Intervals take most of the time and nothing here is about them."""
    methods = {"cod": without_intervals(COD), "cod-paper": without_intervals(COD.paper)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cod_harness.engine.METHODS", {**METHODS, **methods})
        yield


@pytest.fixture(scope="module")
def dense() -> PassRates:
    return PassRates(table("dense"))


@pytest.fixture(scope="module")
def clusters(dense: PassRates) -> SavedClusters:
    return saved(dense, family("dense"))


@pytest.fixture
def path(clusters: SavedClusters, tmp_path: Path) -> Path:
    return clusters.write(tmp_path / "clusters.parquet")


def without_origin(document: Document) -> Document:
    """A document less what tells whether clusters were made or given."""
    kept = json.loads(json.dumps(document))
    del kept["created"], kept["settings"]["clusters_from"]
    del kept["settings"]["notes"], kept["settings"]["note_codes"]
    for about in kept["tasks"].values():
        del about["bandwidth"]
    return kept


def test_the_round_trip(clusters: SavedClusters, path: Path, dense: PassRates) -> None:
    read = SavedClusters.read(path)
    pd.testing.assert_frame_equal(read.frame, clusters.frame, check_dtype=False)
    assert read.settings == clusters.settings
    assert (read.settings["method"], read.settings["ladder"]) == ("cod-paper", "dense")
    assert read.settings["rungs"] == [f"dense{i}" for i in range(5)]
    assert read.tasks == ["t", "u"] and repr(read) == "SavedClusters(240 questions of t, u)"
    # In Python, in any order of questions.
    matrix = dense.matrix("t", [f"dense{i}" for i in range(5)])
    own = COD.paper().set_params(n_replicates=0).fit(matrix.rates, COMPUTE, matrix.n_samples)
    np.testing.assert_array_equal(read.labels("t", matrix.questions), own.labels_)
    turned = matrix.questions[::-1]
    np.testing.assert_array_equal(read.labels("t", turned), own.labels_[::-1])


@pytest.mark.parametrize("method", ["cod", "cod-paper"])
def test_the_same_ladder_with_its_own_clusters_forecasts_the_same(
    dense: PassRates, tmp_path: Path, method: str
) -> None:
    ladder = family("dense")
    own = forecast_document(dense, ladder, ["cod-paper"])
    file = SavedClusters.read(saved(dense, ladder, "cod-paper").write(tmp_path / "c.parquet"))
    given = validated(forecast_document(dense, ladder, [method], clusters=file))
    assert given["settings"]["clusters_from"] == str(tmp_path / "c.parquet")
    assert any(
        "made by cod-paper on the ladder dense" in note for note in given["settings"]["notes"]
    )
    if method == "cod-paper":
        assert without_origin(given) == without_origin(own)
        assert own["settings"]["clusters_from"] is None
    for about in given["tasks"].values():
        assert about["bandwidth"] is None  # nothing was clustered


def test_transfer_to_another_family(clusters: SavedClusters, path: Path) -> None:
    moe = PassRates(table("moe", seed=1))
    document = forecast_document(
        moe, family("moe"), ["cod-paper"], clusters=SavedClusters.read(path)
    )
    for task in ("t", "u"):
        labels = clusters.labels(task, [f"q{i}" for i in range(120)])
        sizes = np.bincount(labels[labels >= 0])
        assert [c["size"] for c in document["tasks"][task]["clusters"]] == sizes.tolist()
        rates = moe.matrix(task, [f"moe{i}" for i in range(5)]).rates
        first = document["tasks"][task]["clusters"][0]
        assert first["rates"] == pytest.approx(rates[labels == 0].mean(axis=0).tolist())


def test_tasks_that_are_not_asked_are_told(clusters: SavedClusters) -> None:
    one = PassRates(table("dense", tasks=("t",)))
    document = forecast_document(one, family("dense"), ["cod-paper"], clusters=clusters)
    assert "clusters of u not used: no pass rates of these tasks" in document["settings"]["notes"]


def _less(questions: int) -> Callable[[pd.DataFrame], pd.DataFrame]:
    dropped = [f"q{i}" for i in range(questions)]
    return lambda frame: frame[(frame["task"] != "t") | ~frame["question"].isin(dropped)]


def _renamed(frame: pd.DataFrame) -> pd.DataFrame:
    new = frame["question"].where(frame["question"] != "q7", "q700")
    return frame.assign(question=new)


def _task(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(task=frame["task"].replace("u", "v"))


def _documents(frame: pd.DataFrame) -> pd.DataFrame:
    other = frame["question"].isin(["q3", "q4"]) & (frame["task"] == "u")
    return frame.assign(doc_hash=frame["doc_hash"].where(~other, "x"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _less(12),
            "clusters.parquet: the questions of 't' are others: of 108 asked 0 have no cluster, "
            "of 120 clustered 12 were not asked of every model",
        ),
        (
            _renamed,
            "the questions of 't' are others: of 120 asked 1 have no cluster (the first is "
            "'q700'), of 120 clustered 1 were not asked",
        ),
        (_task, "clusters.parquet: no clusters of the task 'v'; there are some of t, u"),
        (
            _documents,
            "the documents of 2 of 120 questions of 'u' are others (the first is 'q3')",
        ),
    ],
)
def test_other_questions_are_refused(
    path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    rates = PassRates(change(table("dense")))
    with pytest.raises(InputError) as caught:
        forecast_document(rates, family("dense"), clusters=SavedClusters.read(path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_documents_are_not_compared(clusters: SavedClusters) -> None:
    rates = PassRates(table("dense").drop(columns="doc_hash"))
    forecast_document(rates, family("dense"), ["cod-paper"], clusters=clusters)


def test_only_methods_that_cluster_take_clusters(dense: PassRates, clusters: SavedClusters) -> None:
    with pytest.raises(InputError, match="exp: takes no clusters from a file, only cod and cod-p"):
        forecast_document(dense, family("dense"), ["cod", "exp"], clusters=clusters)


def test_a_task_without_clusters_is_left_out(dense: PassRates) -> None:
    short = table("dense", tasks=("v",))
    short = short[short["model"].isin(["dense0", "dense1", "dense2"])]
    rates = PassRates(pd.concat([dense.frame, short]))
    assert saved(rates, family("dense")).tasks == ["t", "u"]
    with pytest.raises(InputError, match="no clusters to save"):
        SavedClusters.of(rates, family("dense"), "cod", [])


def test_files_that_are_not_clusters(path: Path, dense: PassRates, tmp_path: Path) -> None:
    store = dense.write(tmp_path / "store.parquet")
    text = tmp_path / "text.parquet"
    text.write_text("no")
    for wrong, message in (
        (tmp_path / "none.parquet", "no such file"),
        (text, "not a readable Parquet file"),
        (store, "store.parquet: holds no clusters, not 'cod-clusters/1'"),
    ):
        with pytest.raises(InputError, match=message):
            SavedClusters.read(wrong)
    frame = SavedClusters.read(path).frame
    twice = SavedClusters(pd.concat([frame, frame[:1]]), {}).write(tmp_path / "twice.parquet")
    with pytest.raises(InputError, match=r"row 241: task 't', question 'q0' occurs twice"):
        SavedClusters.read(twice)
    with pytest.raises(InputError, match="exists already"):
        SavedClusters(frame, {}).write(path)


def write_ladder(ladder: Ladder, path: Path) -> Path:
    lines = [f"ladder: {ladder.name}", "rungs:"]
    for rung in ladder.rungs:
        lines.append(f"- {{name: {rung.name}, params: 1e9, tokens: {(rung.compute or 0) / 6e9}}}")
    lines += ["targets:", f"- {{name: {ladder.targets[0].name}, params: 1e10, tokens: 2e12}}"]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_continued_pre_training_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """App. E: clusters of the pre-trained ladder, laws of the last checkpoints after continued
    pre-training."""
    ladders, tables = {}, {}
    for name, seed in (("base", 0), ("continued", 1)):
        ladders[name] = str(write_ladder(family(name), tmp_path / f"{name}.yaml"))
        tables[name] = str(tmp_path / f"{name}.csv")
        table(name, seed).to_csv(tables[name], index=False)
    file = str(tmp_path / "clusters.parquet")
    first = ["forecast", tables["base"], "--ladder", ladders["base"], "--method", "cod-paper"]
    assert main([*first, "--save-clusters", file]) == 0
    capsys.readouterr()
    second = ["forecast", tables["continued"], "--ladder", ladders["continued"]]
    assert main([*second, "--method", "cod-paper", "--clusters", file, "--json", "-"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["settings"]["clusters_from"] == file
    assert [rung["name"] for rung in document["ladder"]["rungs"]] == [
        f"continued{i}" for i in range(5)
    ]
    clusters = SavedClusters.read(file)
    labels = clusters.labels("t", [f"q{i}" for i in range(120)])
    sizes = [cluster["size"] for cluster in document["tasks"]["t"]["clusters"]]
    assert sizes == np.bincount(labels[labels >= 0]).tolist()
    # A file is never written over, and the refusal is one line.
    before = Path(file).read_bytes()
    assert main([*first, "--save-clusters", file]) == 2
    told = capsys.readouterr()
    assert told.out == "" and "exists already" in told.err and len(told.err.splitlines()) == 1
    assert Path(file).read_bytes() == before
    # Other questions: exit 2, one line.
    less = tmp_path / "less.csv"
    table("continued", 1)[lambda frame: frame["question"] != "q5"].to_csv(less, index=False)
    words = ["forecast", str(less), "--ladder", ladders["continued"], "--clusters", file]
    assert main(words) == 2
    told = capsys.readouterr()
    assert "the questions of 't' are others" in told.err and len(told.err.splitlines()) == 1


def test_a_rung_more_or_less_does_not_matter(clusters: SavedClusters) -> None:
    """The other ladder may have fewer rungs: clusters are of questions, not of models."""
    ladder = family("moe")
    fewer = replace(ladder, rungs=ladder.rungs[1:])
    frame = table("moe", seed=1)
    rates = PassRates(frame[frame["model"] != "moe0"])
    document = forecast_document(rates, fewer, ["cod-paper"], clusters=clusters)
    assert len(document["tasks"]["t"]["clusters"][0]["rates"]) == 4
