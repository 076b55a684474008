"""Memorised facts, in the spirit of TriviaQA."""

from __future__ import annotations

import random
from functools import partial

from cod_harness.demo.families.kinds import SYLLABLES, Meaning, on_shelves, person, words

_RELATIONS = ("color", "home", "food", "king", "year", "song")
_FACT_FORMS = ("{p} {r} {e}?", "{p}, {r} {e}?", "{p}: {r} {e}?", "{p}; {r} {e}?")


def _fact(relation: str, rng: random.Random, word: str, mean: Meaning) -> tuple[str, str]:
    form = rng.choice(_FACT_FORMS)
    return form.format(p=person(rng), r=relation, e=word), SYLLABLES[mean(60) * 7 + len(relation)]


# By falling frequency.
KINDS = on_shelves(*(words(relation, partial(_fact, relation)) for relation in _RELATIONS))
