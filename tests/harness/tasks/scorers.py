"""Scorers of the test tasks, in the ways tasks bring their own."""

from __future__ import annotations

import re


def em_and_f1(doc: dict, results: list) -> dict:
    """As DROP: an exact match and a partial credit."""
    numbers = re.findall(r"[0-9]+", results[0])
    hit = float(doc["answer"] in numbers)
    return {"em": hit, "f1": hit / max(1, len(numbers))}


def share_of_digits(doc: dict, results: list) -> dict:
    """Only partial credit."""
    return {"digits": sum(c.isdigit() for c in results[0]) / max(1, len(results[0]))}


def build_predictions(resps: list, docs: list) -> list:
    """As code tasks: the metric sees all responses at once."""
    return [
        [str(doc["question"]) + "=" + r for r in resp]
        for resp, doc in zip(resps, docs, strict=True)
    ]


def pass_at_k(references: list, predictions: list, k: list) -> dict:
    """Share of predictions that hold the answer."""
    right = [
        sum(reference in re.findall(r"[0-9]+", text.split("=")[1]) for text in texts) / len(texts)
        for reference, texts in zip(references, predictions, strict=True)
    ]
    return {"pass@1": sum(right) / len(right)}
