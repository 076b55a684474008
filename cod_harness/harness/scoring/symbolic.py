"""Symbolic comparison of answers, each pair compared once.

math_verify and the harness's own equivalence parse and compare expressions with a computer algebra
system, milliseconds an answer. A hundred answers to one question hold few different results, in
a hundred different texts: what is remembered here is the step from the result extracted out of a
text on, and the right answer's parse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

# Results kept in memory. An entry is a parsed expression or a yes or no.
_KEPT = 50_000
_TEXTS_KEPT = 512

_parsers: dict[str, Any] = {}


@contextmanager
def remembered_symbols(task: Any) -> Iterator[None]:
    """While a task scores answers through math_verify, remember what it has parsed and compared.

    Any other task is left alone.
    """
    function = getattr(getattr(task, "config", None), "process_results", None)
    names = getattr(function, "__globals__", {})
    if not callable(names.get("verify")) or not callable(names.get("parse")):
        yield
        return
    _remember_parsers()
    before = {name: names[name] for name in ("verify", "parse", "is_equiv") if name in names}
    names["parse"] = _remembered_parse(before["parse"])
    names["verify"] = _remembered_verify(before["verify"])
    if "is_equiv" in before:
        names["is_equiv"] = lru_cache(_KEPT)(before["is_equiv"])
    try:
        yield
    finally:
        names.update(before)


def _remember_parsers() -> None:
    """Let math_verify keep more than the twenty expressions it keeps by itself."""
    try:
        from math_verify import parser
    except ImportError:
        return
    for name in ("parse_latex_cached", "parse_expr_cached"):
        original = getattr(getattr(parser, name, None), "__wrapped__", None)
        if original is not None and name not in _parsers:
            _parsers[name] = lru_cache(_KEPT)(original)
            setattr(parser, name, _parsers[name])


def _remembered_parse(parse: Callable[..., Any]) -> Callable[..., Any]:
    kept = lru_cache(_TEXTS_KEPT)(parse)

    def remembered(text: Any, *args: Any, **kwargs: Any) -> Any:
        # More arguments than the text alone may not be hashable.
        return list(kept(text)) if not args and not kwargs else parse(text, *args, **kwargs)

    return remembered


def _remembered_verify(verify: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[Any, Any] = {}

    def remembered(gold: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            return verify(gold, target, *args, **kwargs)
        key = (_spelled(gold), _spelled(target))
        if key not in kept:
            if len(kept) >= _KEPT:
                kept.clear()
            kept[key] = verify(gold=gold, target=target)
        return kept[key]

    return remembered


def _spelled(parsed: Any) -> Any:
    """An expression in full, assumptions on its symbols included."""
    from sympy import srepr

    parts = parsed if isinstance(parsed, (list, tuple)) else [parsed]
    return tuple(part if isinstance(part, str) else srepr(part) for part in parts)
