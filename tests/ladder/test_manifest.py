from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cod_harness.errors import InputError
from cod_harness.ladder.manifest import Cluster, Ladder, Model
from cod_harness.ladder.read_ladder import number, read_ladder

GOOD = """\
ladder: my-family
rungs:
- name: 238m
  params: 238M
  tokens: 45e9
- name: 122m
  params: 122e6
  tokens: 26B
  flops_per_token: 1.535e9
  loss: 2.91
  model: hf
  model_args: pretrained=ckpt/122m,dtype=float32
  checkpoints: [ckpt/122m-a, ckpt/122m-b]
anchors:
- name: other-72b
targets:
- name: 70b
  params: 68.452e9
  tokens: 8.012T
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "ladder.yaml"
    path.write_text(text)
    return path


def test_reads_the_documented_form(tmp_path: Path) -> None:
    ladder = read_ladder(write(tmp_path, GOOD))
    assert ladder.name == "my-family"
    assert [model.name for model in ladder.rungs] == ["122m", "238m"]  # by rising compute
    first, second = ladder.rungs
    assert first.compute == 1.535e9 * 26e9
    assert second.compute == 6 * 238e6 * 45e9
    assert first.loss == 2.91 and first.model == "hf"
    assert first.checkpoints == ("ckpt/122m-a", "ckpt/122m-b")
    assert ladder.anchors[0].compute is None
    assert ladder.targets[0].compute == 6 * 68.452e9 * 8.012e12
    assert [model.role for model in ladder.models] == ["rung", "rung", "anchor", "target"]
    assert ladder.find("70b") is ladder.targets[0]
    with pytest.raises(InputError, match="no model '71b' in the ladder; it has 122m, 238m"):
        ladder.find("71b")


def test_a_name_stays_as_it_is_written(tmp_path: Path) -> None:
    text = "rungs: [{name: 1e3, params: 1, tokens: 2}, {name: 1.40, params: 1, tokens: 3}]"
    ladder = read_ladder(write(tmp_path, text))
    assert [model.name for model in ladder.rungs] == ["1e3", "1.40"]
    assert ladder.name == "ladder"  # the file's name when it says none


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("122e6", 122e6),
        ("1.22E8", 122e6),
        ("122M", 122e6),
        ("0.122 B", 122e6),
        ("26B", 26e9),
        ("26g", 26e9),
        ("8T", 8e12),
        ("4k", 4e3),
        ("1_000", 1e3),
        (".5", 0.5),
        ("1.1B", 1.1e9),
        ("68.452B", 68.452e9),
        ("1e2M", 1e8),
        ("-3", -3),
    ],
)
def test_number(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "many", "1,000", "12Q", "nan", "inf", "1e999", "0x10", "e6"])
def test_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        number(text)


@given(st.floats(min_value=1e-6, max_value=1e30))
def test_every_float_reads_as_itself(value: float) -> None:
    assert number(repr(value)) == value


def model(**keys: object) -> str:
    entries = {"name": "a", "params": 1e6, "tokens": 1e8} | keys
    return ", ".join(f"{key}: {value}" for key, value in entries.items() if value is not None)


FAULTS = {
    "rungs:\n- {name: [a": r"ladder\.yaml:\d+: not valid YAML: ",
    "": "is empty",
    "- a\n- b": ":1: the ladder file must be a mapping",
    "ladder: x": "there are no rungs",
    "ladder: x\nrungs: []": ":2: there are no rungs",
    "rungs: {name: a}": "`rungs` must be a list",
    "rung:\n- name: a": ":1: the ladder file has the unknown key 'rung'; did you mean 'rungs'",
    "zebra: 1": "unknown key 'zebra'; known: ladder, rungs",
    f"rungs:\n- {{{model(parms='1e6')}}}": r":2: rungs\[1\] has the unknown key 'parms'; "
    "did you mean 'params'",
    "rungs:\n- {params: 1, tokens: 1}": r":2: rungs\[1\] has no name",
    "rungs:\n- a": r":2: rungs\[1\] must be a mapping",
    f"rungs:\n- {{{model(params=None)}}}": r"rungs\[1\] 'a' has no params",
    f"rungs:\n- {{{model(tokens=None)}}}": "'a' has no tokens",
    f"rungs:\n- {{{model(tokens='')}}}": "'a' has no tokens",
    f"rungs:\n- {{{model(tokens=-5)}}}": "tokens is -5; it must be above 0",
    f"rungs:\n- {{{model(tokens=0)}}}": "tokens is 0; it must be above 0",
    f"rungs:\n- {{{model(tokens='lots')}}}": "'lots', not a number; write it like 122e6",
    f"rungs:\n- {{{model(tokens='[1]')}}}": "tokens must be text",
    f"rungs:\n- {{{model(tokens='1e200', params='1e200')}}}": "compute is not finite",
    f"rungs:\n- {{{model()}}}\n- {{{model()}}}": ":3: the name 'a' is already taken in line 2",
    f"rungs:\n- {{{model()}}}\ntargets:\n- {{{model()}}}": ":4: the name 'a' is already taken",
    f"rungs:\n- {{{model(checkpoints='x')}}}": "checkpoints must be a list",
    f"rungs:\n- {{{model(checkpoints='[x, x]')}}}": "checkpoints: 'x' is listed twice",
    f"rungs:\n- {{{model(compute='1e20', flops_per_token=3)}}}": "compute and flops_per_token",
    f"rungs:\n- {{{model(compute=0)}}}": "compute is 0; it must be above 0",
    f"rungs:\n- {{{model(tokens=None, params=None)}}}": "or say it as `compute: 3.1e21`",
    f"rungs:\n- {{{model(active_params='2e6')}}}": "active_params are more than params",
    f"rungs:\n- {{{model(results='a.json')}}}": "results must be a list",
    f"rungs:\n- {{{model(results='[[a]]')}}}": "results: each entry must be text",
    f"rungs:\n- {{{model(gpus=0)}}}": "gpus is '0'; a whole number, 1 or more",
    f"rungs:\n- {{{model(gpus=1.5)}}}": "gpus is '1.5'; a whole number",
    f"rungs:\n- {{{model(shards='two')}}}": "shards is 'two'; a whole number",
    f"rungs:\n- {{{model(sbatch='[a]')}}}": "sbatch must be a mapping like {partition: gpu}",
    f"rungs:\n- {{{model(sbatch='{--mem: 3G}')}}}": "'--mem' is no option's name",
    f"rungs:\n- {{{model(sbatch='{mem: 3G, mem: 4G}')}}}": "sbatch has 'mem' twice",
    f"rungs:\n- {{{model(sbatch='{mem: [3G]}')}}}": "sbatch mem must be text",
    f"rungs:\n- {{{model(model_args='{a: 1, a: 2}')}}}": "model_args has 'a' twice",
    f"rungs:\n- {{{model(model_args='{a: 2020-01-01}')}}}": "model_args: a cannot be handed on",
    f"rungs:\n- {{{model(model_args='{a: !x 1}')}}}": "model_args: a cannot be handed on",
    f"rungs:\n- {{{model(model_args='[a]')}}}": "model_args must be text",
    "cluster: slurm": "`cluster` must be a mapping with the keys executor, setup, sbatch, ray",
    "cluster: {setups: [a]}": "unknown key 'setups'; did you mean 'setup'",
    "cluster: {setup: module load}": "`cluster` setup must be a list",
    "cluster: {executor: [a]}": "`cluster` executor must be text",
    "cluster: {ray: {adress: auto}}": "unknown key 'adress'; did you mean 'address'",
    "cluster: {ray: auto}": "`cluster` ray must be a mapping",
    "ladder: a\nladder: b\nrungs: []": ":2: the ladder file has the key 'ladder' twice",
}


@pytest.mark.parametrize("text", FAULTS, ids=lambda text: repr(text)[:40])
def test_a_fault_is_one_line_with_file_and_remedy(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        read_ladder(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert re.search(FAULTS[text], message), message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such ladder file"):
        read_ladder(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="is a folder"):
        read_ladder(tmp_path)
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\xff\xfe\x00ladder")
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_ladder(binary)
    binary.write_bytes(b"ladder: a\x00b")
    with pytest.raises(InputError, match="not valid YAML"):
        read_ladder(binary)


def test_runs(tmp_path: Path) -> None:
    first, second = read_ladder(write(tmp_path, GOOD)).rungs
    assert second.runs() == [("", "")]
    assert first.runs() == [
        ("ckpt/122m-a", "pretrained=ckpt/122m-a,dtype=float32"),
        ("ckpt/122m-b", "pretrained=ckpt/122m-b,dtype=float32"),
    ]
    (tmp_path / "ckpt/122m-b").mkdir(parents=True)
    beside = tmp_path / "ckpt/122m-b"
    assert first.runs()[0][1] == "pretrained=ckpt/122m-a,dtype=float32"
    assert first.runs()[1] == ("ckpt/122m-b", f"pretrained={beside},dtype=float32")


def test_checkpoints_without_model_args(tmp_path: Path) -> None:
    text = f"rungs:\n- {{{model(checkpoints='[x, y]')}}}"
    rung = read_ladder(write(tmp_path, text)).rungs[0]
    assert rung.runs() == [("x", "pretrained=x"), ("y", "pretrained=y")]


def test_locate(tmp_path: Path) -> None:
    ladder = read_ladder(write(tmp_path, GOOD))
    rung = ladder.find("122m")
    assert ladder.locate("dtype=auto,pretrained=ckpt/122m-b") == (rung, "ckpt/122m-b")
    assert ladder.locate("pretrained=ckpt/122m") == (rung, "")
    assert ladder.locate("pretrained=elsewhere") is None
    assert ladder.locate("dtype=auto") is None
    (tmp_path / "ckpt/122m-a").mkdir(parents=True)
    absolute = (tmp_path / "ckpt/122m-a").resolve()
    assert ladder.locate(f"pretrained={absolute}") == (rung, "ckpt/122m-a")


def test_locate_by_revision() -> None:
    def rung(name: str, args: str) -> Model:
        return Model(name, "rung", compute=1.0, model="hf", model_args=args)

    plain, one, two = (
        rung("plain", "pretrained=p"),
        rung("one", "pretrained=m,revision=a"),
        rung("two", "pretrained=m,revision=b"),
    )
    ladder = Ladder("l", (plain, one, two))
    assert ladder.locate("pretrained=m,revision=b") == (two, "")
    assert ladder.locate("revision=a,pretrained=m") == (one, "")
    assert ladder.locate("pretrained=m") is None
    assert ladder.locate("pretrained=m,revision=c") is None
    # An entry without a revision takes any; one with the very revision comes first.
    assert ladder.locate("pretrained=p,revision=c") == (plain, "")
    both = Ladder("l", (rung("any", "pretrained=m"), two))
    assert both.locate("pretrained=m,revision=b") == (two, "")


def test_locate_takes_a_checkpoint_that_is_the_models_own_for_the_checkpoint(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ladder.yaml"
    path.write_text(
        "ladder: l\nrungs:\n- {name: a, params: 1e6, tokens: 1e8, model: hf, "
        "model_args: pretrained=one, checkpoints: [one, two]}\n"
    )
    located = read_ladder(path).locate("pretrained=one")
    assert located is not None
    assert (located[0].name, located[1]) == ("a", "one")


def test_a_loss_for_each_task(tmp_path: Path) -> None:
    rungs = f"{{{model(loss='{arc: 0.81, mmlu: 1.3}')}}}"
    rung = read_ladder(write(tmp_path, f"rungs:\n- {rungs}")).rungs[0]
    assert (rung.loss, rung.loss_on("arc"), rung.loss_on("piqa")) == (None, 0.81, None)
    assert len({rung}) == 1  # still to be had in sets
    (plain,) = read_ladder(write(tmp_path, f"rungs:\n- {{{model(loss='2.9')}}}")).rungs
    assert plain.loss_on("arc") == 2.9


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("{arc: low}", "loss on arc is 'low', not a number"),
        ("{arc: 0}", "loss on arc is 0; it must be above 0"),
        ("{arc: 1, arc: 2}", "loss has the task 'arc' twice"),
        ("[1, 2]", "loss must be text"),
    ],
)
def test_wrong_task_losses(tmp_path: Path, loss: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_ladder(write(tmp_path, f"rungs:\n- {{{model(loss=loss)}}}"))


def test_compute_may_be_written_itself(tmp_path: Path) -> None:
    keys = [model(compute="3.1e21", tokens=None, params=None), model(name="b", compute="3e21")]
    for section in ("rungs", "targets"):
        text = f"rungs: [{{{model(name='r')}}}]\n" if section == "targets" else ""
        text += f"{section}:\n" + "".join(f"- {{{entry}}}\n" for entry in keys)
        found = {model.name: model.compute for model in read_ladder(write(tmp_path, text)).models}
        assert found["a"] == 3.1e21
        assert found["b"] == 3e21  # params and tokens beside it are told, not used
    anchor = f"rungs: [{{{model()}}}]\nanchors: [{{name: x, compute: 2e25}}]"
    assert read_ladder(write(tmp_path, anchor)).anchors[0].compute == 2e25


def test_experts_count_by_what_a_token_meets(tmp_path: Path) -> None:
    keys = model(params="50e9", active_params="12e9", tokens="1e12")
    (rung,) = read_ladder(write(tmp_path, f"rungs:\n- {{{keys}}}")).rungs
    assert (rung.compute, rung.params, rung.active_params) == (6 * 12e9 * 1e12, 50e9, 12e9)
    told = model(active_params="1e5", flops_per_token=7)
    assert read_ladder(write(tmp_path, f"rungs:\n- {{{told}}}")).rungs[0].compute == 7e8
    # Without params in all: what a token meets is enough.
    alone = model(params=None, active_params="1e5")
    assert read_ladder(write(tmp_path, f"rungs:\n- {{{alone}}}")).rungs[0].compute == 6e13


def test_results_lie_beside_the_ladder_file(tmp_path: Path) -> None:
    text = f"rungs:\n- {{{model(results='[old/a.json, /far/b.json]')}}}"
    (rung,) = read_ladder(write(tmp_path, text)).rungs
    assert rung.results == (tmp_path / "old/a.json", Path("/far/b.json"))


def test_where_a_ladder_runs(tmp_path: Path) -> None:
    text = f"""\
rungs:
- {{{model(gpus=4, shards=2, sbatch="{time: 00:30:00, exclusive: }")}}}
- {{{model(name="b")}}}
cluster:
  executor: slurm
  setup: ["module load cuda", "source env/bin/activate", "module load cuda"]
  sbatch: {{partition: gpu, time: 04:00:00, gres: "gpu:1"}}
  ray: {{address: auto}}
"""
    ladder = read_ladder(write(tmp_path, text))
    first, second = ladder.rungs
    assert (first.gpus, first.shards) == (4, 2)
    one = write(tmp_path, f"rungs:\n- {{{model(gpus=1, shards=1)}}}")
    assert (read_ladder(one).rungs[0].gpus, read_ladder(one).rungs[0].shards) == (1, 1)
    assert first.sbatch == {"time": "00:30:00", "exclusive": ""}
    assert (second.gpus, second.shards, second.sbatch) == (None, None, {})
    where = ladder.cluster
    assert where.executor == "slurm"
    assert where.setup == ("module load cuda", "source env/bin/activate", "module load cuda")
    assert where.sbatch == {"partition": "gpu", "time": "04:00:00", "gres": "gpu:1"}
    assert where.ray == {"address": "auto"}
    assert len({first, second, where}) == 3  # still to be had in sets
    assert read_ladder(write(tmp_path, GOOD)).cluster == Cluster()
    plain = f"rungs:\n- {{{model()}}}\ncluster: "
    for key, value in {"executor": "ray", "sbatch": {"mem": "3G"}, "ray": {"address": "a"}}.items():
        written = read_ladder(write(tmp_path, plain + json.dumps({key: value})))
        assert written.cluster == replace(Cluster(), **{key: value})


def test_model_args_as_a_mapping(tmp_path: Path) -> None:
    args = "{pretrained: ckpt/a, dtype: float32, parallelize: yes, seed: 7}"
    text = f"rungs:\n- {{{model(model_args=args, checkpoints='[ckpt/a, ckpt/b]')}}}"
    (rung,) = read_ladder(write(tmp_path, text)).rungs
    assert rung.model_args == "pretrained=ckpt/a,dtype=float32,parallelize=True,seed=7"
    assert rung.runs()[1][1] == "pretrained=ckpt/b,dtype=float32,parallelize=True,seed=7"


def test_model_args_that_pairs_cannot_hold_are_json(tmp_path: Path) -> None:
    args = "{pretrained: 'ckpt/a,1', tokenizer: tok, chat_template_args: {effort: low}, seed: 7}"
    text = f"rungs:\n- {{{model(model_args=args, checkpoints='[ckpt/b]')}}}"
    (tmp_path / "tok").mkdir()
    ladder = read_ladder(write(tmp_path, text))
    (rung,) = ladder.rungs
    ((checkpoint, told),) = rung.runs()
    assert checkpoint == "ckpt/b"
    assert json.loads(told) == {
        "pretrained": "ckpt/b",
        "tokenizer": str(tmp_path / "tok"),
        "chat_template_args": {"effort": "low"},
        "seed": 7,
    }
    assert ladder.locate(told) == (rung, "ckpt/b")
    assert ladder.locate("pretrained=ckpt/b") == (rung, "ckpt/b")
    assert ladder.locate("{not json") is None
    assert ladder.locate('{"dtype": "auto"}') is None


def test_the_harness_reads_model_args_as_they_were_meant(tmp_path: Path) -> None:
    utils = pytest.importorskip("lm_eval._cli.utils")
    for args, meant in (
        ("{pretrained: a, seed: 7, load: true}", {"pretrained": "a", "seed": 7, "load": True}),
        ("{pretrained: 'a,b', seed: 7}", {"pretrained": "a,b", "seed": 7}),
        ("{pretrained: a, rope: {factor: 2.0}}", {"pretrained": "a", "rope": {"factor": 2.0}}),
    ):
        (rung,) = read_ladder(write(tmp_path, f"rungs:\n- {{{model(model_args=args)}}}")).rungs
        parser = argparse.ArgumentParser()
        parser.add_argument("--model_args", nargs="+", action=utils.MergeDictAction)
        assert parser.parse_args(["--model_args", rung.runs()[0][1]]).model_args == meant


def test_a_ladder_of_no_file_is_not_named(tmp_path: Path) -> None:
    rung = Model("a", "rung", compute=1.0)
    with pytest.raises(InputError) as caught:
        Ladder("l", (rung,)).find("q")
    assert str(caught.value) == "no model 'q' in the ladder; it has a"


def test_models_without_model_args_are_not_located_by_their_lack(tmp_path: Path) -> None:
    ladder = Ladder("l", (Model("a", "rung", compute=1.0, model="hf"),))
    assert ladder.locate("dtype=auto") is None
    text = f"rungs:\n- {{{model(checkpoints='[x, y]')}}}"
    (rung,) = (ladder := read_ladder(write(tmp_path, text))).rungs
    assert ladder.locate("pretrained=y") == (rung, "y") and ladder.locate("pretrained=z") is None
