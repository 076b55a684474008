"""A share of a task's questions answered by one run, and all shares scored as one run.

Every shard builds all requests, as the whole run does (few-shot examples are drawn from one random
stream, so fewer documents would be other prompts), and then drops those of other shards. What the
model answered is kept as it came, unscored. The merge is the same run once more, with the kept
answers in the model's place: scores, groups, results and samples are the harness's own, of all
questions together.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cod_harness.errors import InputError
from cod_harness.harness.scoring.responses import doc_hash
from cod_harness.ladder.files import file_name, write_whole

SCHEMA = "cod-shard/1"
# Beside the output folders of the models. No file in it has a name that a forecast or the
# harness's readers look for.
SHARD_FOLDER = "cod_shards"

# What a results file says of model and machine, which the process that merges does not know.
_OF_THE_RUN = (
    "config",
    "git_hash",
    "pretty_env_info",
    "transformers_version",
    "lm_eval_version",
    "upper_git_hash",
    "tokenizer_pad_token",
    "tokenizer_eos_token",
    "tokenizer_bos_token",
    "eot_token_id",
    "max_length",
)
_OF_THE_TRACKER = ("chat_template", "chat_template_sha")


@dataclass(frozen=True)
class Share:
    """Part `number` (from 1) of `count`."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def share(text: str) -> Share:
    """`3/40` as a Share. Raises InputError."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise InputError(f"--cod-shard {text}: write it as 3/40, the third of forty shards")
    return Share(int(number), int(count))


def shard_folder(
    output: Path, rung: str, checkpoint: str, request: Mapping[str, Sequence[str]]
) -> Path:
    """Where the shards of one measurement are kept: other settings, another folder."""
    digest = hashlib.sha256(json.dumps([rung, checkpoint, dict(request)]).encode()).hexdigest()
    words = [rung, *([checkpoint] if checkpoint else []), *request.get("tasks", ())[:1]]
    return output / SHARD_FOLDER / f"{file_name('.'.join(words))[:100]}.{digest[:12]}"


def shard_file(folder: Path, part: Share) -> Path:
    """The file of one shard, there only when all its questions are answered."""
    return folder / f"{part.number}-of-{part.count}.jsonl.gz"


class AllAnswered(Exception):
    """Ends the harness's `evaluate` between the last answer and the first score."""


class ShardRun:
    """One shard: `watch` before the requests are built, `keep` when `evaluate` has ended."""

    def __init__(self, part: Share) -> None:
        self.part = part
        self._tasks: Mapping[str, Any] = {}
        self._seen = 0  # documents in the tasks so far: else all first ones were of one shard
        self._begun = time.perf_counter()

    def watch(self, tasks: Mapping[str, Any]) -> None:
        """Drop other shards' documents once a task has built its requests; score none."""
        self._tasks = tasks
        for task in tasks.values():
            _after(task, "build_all_requests", functools.partial(self._drop, task))
            task.apply_filters = _stop

    def _drop(self, task: Any) -> None:
        documents = sorted({instance.doc_id for instance in task.instances})
        first = self._seen
        mine = {
            doc_id
            for place, doc_id in enumerate(documents, first)
            if place % self.part.count == self.part.number - 1
        }
        self._seen += len(documents)
        task._instances = [one for one in task.instances if one.doc_id in mine]

    def keep(self, path: Path, about: Mapping[str, Any], results: Any, tracker: Any) -> Path:
        """Write the answers. results: what `simple_evaluate` says of model and machine."""
        from lm_eval.utils import handle_non_serializable

        config = getattr(tracker, "general_config_tracker", None)
        header = {
            "schema": SCHEMA,
            "shard": str(self.part),
            **about,
            "results": {key: results[key] for key in _OF_THE_RUN if key in results},
            "tracker": {key: getattr(config, key, None) for key in _OF_THE_TRACKER},
            "seconds": time.perf_counter() - self._begun,
            "documents": self._seen,
        }

        def fill(temporary: Path) -> None:
            with gzip.open(temporary, "wt", encoding="utf-8", compresslevel=3) as stream:
                stream.write(_line(header, handle_non_serializable))
                for name, task in self._tasks.items():
                    for instance in task.instances:
                        stream.write(_line(_request(name, instance)))

        return write_whole(path, fill, overwrite=True)


def _stop(*_: Any, **__: Any) -> None:
    raise AllAnswered


def _after(owner: Any, name: str, then: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        made = original(*args, **kwargs)
        then()
        return made

    setattr(owner, name, wrapped)


def _request(task: str, instance: Any) -> dict[str, Any]:
    kept = {
        "task": task,
        "doc_id": instance.doc_id,
        "doc_hash": doc_hash(instance.doc),
        "idx": instance.idx,
        "type": instance.request_type,
        "repeats": instance.repeats,
        "arguments": list(instance.args),
        "answers": list(instance.resps),
    }
    try:
        whole = json.loads(_line(kept))["arguments"] == _plain(kept["arguments"])
    except TypeError:
        whole = False
    if not whole:
        raise InputError(
            f"task {task}: its requests are more than text and cannot be kept in shards; "
            "run it without --shards"
        )
    return kept


def _line(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, default=default) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return value


@dataclass
class Kept:
    """The shards of one measurement, read back."""

    headers: list[dict[str, Any]] = field(default_factory=list)
    requests: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by task

    @classmethod
    def read(cls, folder: Path, count: int) -> Kept:
        """Raises InputError, naming the shards that are missing or cannot be read."""
        parts = [Share(number, count) for number in range(1, count + 1)]
        missing = [str(part) for part in parts if not shard_file(folder, part).exists()]
        if missing:
            raise InputError(
                f"{folder}: {'shard' if len(missing) == 1 else 'shards'} {', '.join(missing)} "
                "missing; run `cod-harness ladder` again with the same words"
            )
        kept = cls()
        for part in parts:
            for request in kept._lines(shard_file(folder, part)):
                kept.requests.setdefault(request["task"], []).append(request)
        for requests in kept.requests.values():
            requests.sort(key=lambda request: (request["doc_id"], request["idx"]))
        return kept

    def _lines(self, path: Path) -> Iterator[dict[str, Any]]:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as stream:
                header = json.loads(next(stream))
                if header["schema"] != SCHEMA:
                    raise ValueError(header["schema"])
                self.headers.append(header)
                for line in stream:
                    yield json.loads(line)
        except (OSError, EOFError, ValueError, KeyError, StopIteration) as error:
            raise InputError(
                f"{path}: not a readable shard ({type(error).__name__}); delete it and run "
                "`cod-harness ladder` again with the same words"
            ) from None


class Merge:
    """A run whose model is the answers that its shards have kept."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self._answers: dict[int, Iterator[Any]] = {}  # by id() of the request

    def model(self) -> Any:
        """An `LM` that gives the kept answers."""
        from lm_eval.api.model import LM

        merge = self

        class KeptAnswers(LM):
            tokenizer_name = "kept"

            def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[Any]:
                return merge._given(requests)

            def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> list[Any]:
                return merge._given(requests)

            def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = False) -> list[Any]:
                return merge._given(requests)

            # The prompts are those that the model was asked; no template is applied again.
            def apply_chat_template(self, *_: Any, **__: Any) -> str:
                return ""

            def chat_template(self, *_: Any, **__: Any) -> Any:
                return merge.kept.headers[0]["tracker"]["chat_template"]

        return KeptAnswers()

    def _given(self, requests: Sequence[Any]) -> list[Any]:
        return [next(self._answers[id(request)]) for request in requests]

    def watch(self, tasks: Mapping[str, Any]) -> None:
        """Let each task's requests be those of its shards."""
        for name, task in tasks.items():
            task.build_all_requests = self._builder(name, task)

    def _builder(self, name: str, task: Any) -> Callable[..., None]:
        def build_all_requests(*, limit: Any = None, samples: Any = None, **_: Any) -> None:
            documents = dict(task.doc_iterator(rank=0, limit=limit, samples=samples, world_size=1))
            task._instances = self._instances(name, documents)

        return build_all_requests

    def _instances(self, name: str, documents: Mapping[int, Any]) -> list[Any]:
        from lm_eval.api.instance import Instance

        requests = self.kept.requests.get(name, [])
        hashes = {doc_id: doc_hash(doc) for doc_id, doc in documents.items()}
        asked = {request["doc_id"]: request["doc_hash"] for request in requests}
        if asked != hashes or len({(r["doc_id"], r["idx"]) for r in requests}) < len(requests):
            raise InputError(
                f"task {name}: its shards hold {len(asked)} questions, the data set here "
                f"{len(hashes)}, and they are not the same ones; use one version of the data"
            )
        made = []
        for request in requests:
            instance = Instance(
                request_type=request["type"],
                doc=documents[request["doc_id"]],
                arguments=tuple(request["arguments"]),
                idx=request["idx"],
                metadata=(name, request["doc_id"], request["repeats"]),
            )
            self._answers[id(instance)] = map(_answer, request["answers"])
            made.append(instance)
        return made

    def finished(self, results: dict[str, Any], tracker: Any) -> dict[str, Any]:
        """The results, with what the shards' runs knew of model and machine."""
        header = self.kept.headers[0]
        batch_sizes = [
            h["results"].get("config", {}).get("batch_sizes", []) for h in self.kept.headers
        ]
        results.update(header["results"])
        if any(batch_sizes):
            results["config"]["batch_sizes"] = [size for some in batch_sizes for size in some]
        config = getattr(tracker, "general_config_tracker", None)
        if config is not None:
            for key, value in header["tracker"].items():
                setattr(config, key, value)
            # The harness reports the time since then: all shards' time, not that of the merge.
            config.start_time -= sum(h["seconds"] for h in self.kept.headers)
        return results


def _answer(kept: Any) -> Any:
    # Log-likelihoods are pairs, which JSON has as lists.
    return tuple(kept) if isinstance(kept, list) else kept
