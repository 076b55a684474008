"""What a finished run left in a task: its documents with every response, ready to be scored."""

from __future__ import annotations

import copy
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# A SHA-256 in hex is 64 characters; 16 (64 bits) leave no chance of two documents meeting.
_QUESTION_DIGITS = 16


@dataclass
class Answered:
    """One document and the requests made of it, with all their responses.

    instances: the harness's Instances, in the order the task sees them, their prompts dropped.
    """

    doc_id: int
    doc: Any
    target: Any
    instances: list[Any]
    doc_hash: str
    prompt_hash: str
    target_hash: str

    @property
    def repeats(self) -> int:
        """Responses to each request."""
        return min(len(instance.resps) for instance in self.instances)


def tasks_in(task_dict: Mapping[Any, Any]) -> dict[str, Any]:
    """Name -> Task, from either form `evaluate` receives: nested (to 0.4.11) or flat."""
    found: dict[str, Any] = {}
    if "tasks" in task_dict and isinstance(task_dict["tasks"], Mapping):
        task_dict = task_dict["tasks"]
    for name, entry in task_dict.items():
        if isinstance(entry, Mapping):
            found.update(tasks_in(entry))
        elif isinstance(entry, tuple):  # (group, task), before 0.4.5
            found[str(name)] = entry[1]
        elif entry is not None:
            found[str(name)] = entry
    return found


def answered(task: Any) -> list[Answered]:
    """The documents this process ran, by doc_id.

    Under several processes each has its share; see `gathered`.
    """
    groups: dict[int, list[Any]] = defaultdict(list)
    for instance in task.instances:
        groups[instance.doc_id].append(instance)
    documents = []
    for doc_id, instances in sorted(groups.items()):
        instances.sort(key=lambda instance: instance.idx)
        first = instances[0]
        target = task.doc_to_target(first.doc)
        documents.append(
            Answered(
                doc_id=doc_id,
                doc=first.doc,
                target=target,
                instances=[_without_prompt(instance) for instance in instances],
                doc_hash=doc_hash(first.doc),
                prompt_hash=text_hash(first.arguments[0]),
                target_hash=text_hash(str(target)),
            )
        )
    return documents


def _without_prompt(instance: Any) -> Any:
    slim = copy.copy(instance)
    slim.arguments = ()
    # Padding for even batches among processes appends extra responses to the last request.
    slim.resps = list(instance.resps[: instance.repeats or 1])
    return slim


def gathered(lm: Any, payload: Any) -> list[Any] | None:
    """The payloads of all processes on the first one, None on the others.

    Uses what the harness itself uses: `LM.gather_object`, before 0.4.12 torch.distributed.
    """
    if lm.world_size <= 1:
        return [payload]
    if hasattr(lm, "gather_object"):
        found = lm.gather_object(payload, dst=0)
        return list(found) if lm.rank == 0 else None
    import torch

    received: list[Any] | None = [None] * lm.world_size if lm.rank == 0 else None
    torch.distributed.gather_object(obj=payload, object_gather_list=received, dst=0)
    return received


def question_names(documents: Sequence[Answered]) -> list[str]:
    """A stable name for each question: document hash, and the occurrence where one repeats.

    Not the harness's doc_id: with `--samples` in no order it names the wrong document.
    """
    return occurrence_names(document.doc_hash for document in documents)


def occurrence_names(hashes: Iterable[str]) -> list[str]:
    """Shortened hashes; the second document with the same hash gets `.2`, the third `.3`."""
    seen: Counter[str] = Counter()
    names = []
    for full in hashes:
        short = full[:_QUESTION_DIGITS]
        seen[short] += 1
        names.append(short if seen[short] == 1 else f"{short}.{seen[short]}")
    return names


def hash_of_all(prompts: Iterable[str]) -> str:
    """One hash for all prompts of a task, out of their own in the order of the documents."""
    return hashlib.sha256("".join(prompts).encode()).hexdigest()


def doc_hash(doc: Any) -> str:
    """The harness's `doc_hash`, computed as it does when it logs samples."""
    from lm_eval.utils import handle_non_serializable

    return text_hash(json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False))


def text_hash(text: Any) -> str:
    """The harness's hash of a prompt or a target."""
    from lm_eval.utils import hash_string

    return str(hash_string(text if hasattr(text, "encode") else str(text)))


def identical_share(documents: Sequence[Answered]) -> float:
    """Share of documents, in [0, 1], whose responses are all the same text."""
    same = [
        all(response == instance.resps[0] for response in instance.resps)
        for document in documents
        for instance in document.instances[:1]
    ]
    return sum(same) / len(same) if same else 0.0
