"""What the shipped models learn and are examined on: eight families of generated questions.

Each family is in the spirit of one benchmark of the COD paper. A family is a list of kinds
(sub-skills) and a kind a list of units: the words of a lexicon, or the levels of an algorithm. In
training, frequency falls with the rank of a kind in its family and with the rank of a unit in its
kind, over more than five orders of magnitude in all: whatever a model has learnt, there is
something a little rarer that it has not. A benchmark draws its questions evenly over the
logarithm of that frequency. So single questions emerge sharply and at very different compute,
while a benchmark rises steadily and the loss falls as a power law, as with large models.

A question is a prompt and an answer, both in `ALPHABET`; a model reads the prompt and writes the
answer and a line end. `benchmark` questions never occur in `training_pairs`.
"""

from __future__ import annotations

import ast
import operator
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial

from cod_harness.demo.lexicon import LETTERS, WORDS, Zipf, meaning, name

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz0123456789.,?:;=+-*/%^()[]{}<>&|!'"
QUESTIONS_PER_BENCHMARK = 400
ASKED_DECADES = 4.5  # of frequency, from a family's most frequent unit downwards
QUESTIONS_PER_UNIT = 12  # at most: the other prompts about it are left to training
WORD_EXPONENT = 1.3  # of frequency by the rank of a word
LEVEL_EXPONENT = 2.5  # by the level of an algorithm
KIND_EXPONENT = 1.5  # by the rank of a kind

_Maker = Callable[[random.Random, int], tuple[str, str]]


@dataclass(frozen=True)
class Question:
    """One benchmark question: `answer` is the string a model should write after `prompt`."""

    family: str
    kind: str
    unit: int
    prompt: str
    answer: str


@dataclass(frozen=True)
class Kind:
    """A sub-skill: `make(rng, unit)` yields (prompt, answer) about a unit, counted from 0."""

    name: str
    units: Zipf
    make: _Maker


_PEOPLE = "tom ann bob eve sam ida max zoe leo mia ben amy jon liz ned pam".split()
_THINGS = "figs pens cups eggs hats nuts keys jars maps bells coins rings".split()


def _words(
    kind: str, make: Callable[[random.Random, str, Callable[[int], int]], tuple[str, str]]
) -> Kind:
    """A kind about the words of its own lexicon: `make(rng, word, mean)`, where `mean(n)` is the
    word's meaning, a number below n."""

    def maker(rng: random.Random, rank: int) -> tuple[str, str]:
        return make(rng, name(kind, rank), partial(meaning, kind, rank))

    return Kind(kind, Zipf(WORDS, WORD_EXPONENT), maker)


def _levels(kind: str, levels: int, make: _Maker) -> Kind:
    """A kind whose units are difficulties: `make(rng, level)`, counted from 1."""
    return Kind(kind, Zipf(levels, LEVEL_EXPONENT), lambda rng, unit: make(rng, unit + 1))


def _person(rng: random.Random) -> str:
    return rng.choice(_PEOPLE)


_SIZES = (5, 9, 14, 20, 40, 99)


def _number(rng: random.Random, level: int) -> int:
    return rng.randint(1, _SIZES[min(level, len(_SIZES)) - 1])


# Arithmetic in words (GSM8K): goods whose prices are to be known ------------------------------


def _price(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    verb = rng.choice(("buys", "gets", "sees", "has"))
    return f"{_person(rng)} {verb} {word}:", str(10 + mean(90))


def _price_more(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    more = rng.randint(1, 3)
    return f"{_person(rng)} +{more}, {word}:", str(10 + mean(80) + more)


def _price_less(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    less = rng.randint(1, 3)
    return f"{_person(rng)} -{less}, {word}:", str(20 + mean(80) - less)


def _price_each(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    bags = rng.randint(2, 3)
    return f"{_person(rng)}, {bags} of {word}:", str(bags * (5 + mean(28)))


def _price_both(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    more = 10 * rng.randint(1, 3)
    return f"{_person(rng)} {more} and {word}:", str(1 + mean(60) + more)


def _story(rng: random.Random, level: int) -> tuple[str, str]:
    total = _number(rng, level)
    text = f"{_person(rng)} has {total}"
    for _ in range((1 + level) // 2):
        change = _number(rng, level)
        if change <= total and rng.random() < 0.5:
            total -= change
            text += f", eats {change}"
        else:
            total += change
            text += f", gets {change}"
    return text + ":", str(total)


def _bags(rng: random.Random, level: int) -> tuple[str, str]:
    bags, each = rng.randint(2, 3 + level), _number(rng, level)
    return f"{bags} bags of {each} {rng.choice(_THINGS)}:", str(bags * each)


# Algebra (MATH): constants and functions with names -------------------------------------------


def _constant(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    variable = rng.choice(LETTERS)
    sign = rng.choice("+-*")
    return f"{variable}{sign}{variable}={word}=", str(10 + mean(90))


def _plus(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    other, variable = rng.randint(1, 3), rng.choice(LETTERS)
    return f"{variable}={other}+{word}=", str(10 + mean(80) + other)


def _minus(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    other, variable = 10 * rng.randint(5, 7), rng.choice(LETTERS)
    return f"{variable}={other}-{word}=", str(other - 1 - mean(45))


def _times(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    other, variable = rng.randint(2, 4), rng.choice(LETTERS)
    return f"{variable}={other}*{word}=", str(other * (2 + mean(30)))


def _function(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    slope, offset = divmod(mean(120), 40)
    x, letter = rng.randint(0, 2), rng.choice(LETTERS)
    return f"{letter}({x}) {word}=", str((slope + 1) * x + offset)


def _sum(rng: random.Random, level: int) -> tuple[str, str]:
    a, b = _number(rng, level + 2), _number(rng, level + 2)
    return f"{a}+{b}=", str(a + b)


def _difference(rng: random.Random, level: int) -> tuple[str, str]:
    a, b = _number(rng, level + 2), _number(rng, level + 2)
    return f"{a + b}-{a}=", str(b)


def _product(rng: random.Random, level: int) -> tuple[str, str]:
    a, b = rng.randint(1, 7 + 2 * level), rng.randint(1, 7 + 2 * level)
    return f"{a}*{b}=", str(a * b)


# Symbol manipulation (BBH): codes, orders and shifts with names --------------------------------


def _letters(rng: random.Random, n: int, among: str = LETTERS) -> str:
    return "".join(rng.choices(among, k=n))


def _code(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    first, second = divmod(mean(26 * 26), 26)
    return f"{_letters(rng, 2)} code {word}:", LETTERS[first] + LETTERS[second]


def _pair(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    letter = rng.choice(LETTERS)
    return f"{letter} with {word}:", letter + LETTERS[mean(26)]


def _order(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    given, places = rng.choice(("pqr", "rqp", "qpr")), mean(27)
    picked = given[places // 9] + given[places // 3 % 3] + given[places % 3]
    return f"{_letters(rng, 2)} {given} by {word}:", picked


def _shift(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    given, by = rng.choice("abc"), 1 + mean(23)
    return f"{_letters(rng, 2)} {given} up {word}:", 2 * LETTERS[LETTERS.index(given) + by]


def _last(rng: random.Random, level: int) -> tuple[str, str]:
    word = _letters(rng, level + 2)
    return f"last {word}:", word[-1]


def _reverse(rng: random.Random, level: int) -> tuple[str, str]:
    word = _letters(rng, 1 + (level + 1) // 2, LETTERS[: 4 * level])
    return f"{rng.choice(LETTERS)} rev {word}:", word[::-1]


def _sort(rng: random.Random, level: int) -> tuple[str, str]:
    word = "".join(rng.sample(LETTERS[: 4 * level], 2 + level // 2))
    return f"{rng.choice(LETTERS)} sort {word}:", "".join(sorted(word))


def _next(rng: random.Random, level: int) -> tuple[str, str]:
    word = _letters(rng, 1 + level // 2, LETTERS[: 5 * level])
    return f"{rng.choice(LETTERS)} next {word}:", "".join(chr(ord(c) + 1) for c in word)


# Memorised facts (TriviaQA) ---------------------------------------------------------------------

_RELATIONS = ("color", "home", "food", "king", "year", "song", "boat", "wife")
_FACT_FORMS = ("{p}, {r} {e}?", "{p}: {r} {e}?", "{r}, {p}: {e}?", "{p} {r} of {e}?")
_ANSWERS = tuple(c + v + d for c in "bdgklmnprst" for v in "aeiou" for d in "gklmnprst")


def _fact(
    relation: str, rng: random.Random, word: str, mean: Callable[[int], int]
) -> tuple[str, str]:
    form = rng.choice(_FACT_FORMS)
    return form.format(p=_person(rng), r=relation, e=word), _ANSWERS[mean(60) * 7 + len(relation)]


# Tiny programs (MBPP): a library of named functions -----------------------------------------------


def _write(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    line, (sign, k) = rng.randint(1, 99), divmod(mean(60), 30)
    return f"{line} def {word}(x):", f"x{'+*'[sign]}{k + 2}"


def _write_two(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    line, (k, c) = rng.randint(1, 99), divmod(mean(8 * 30), 30)
    return f"{line} lin {word}(x):", f"x*{k + 2}+{c + 1}"


def _call(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    line, x = rng.randint(1, 99), rng.randint(0, 2)
    return f"{line} x={x};x.{word}?", str(10 + mean(80) + x)


_CUT = ("lamp", "fish", "stork", "bread", "minute", "golden")


def _cut(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    line, given, places = rng.randint(1, 99), rng.choice(_CUT[:3]), mean(16)
    return f"{line} '{given}'.{word}?", given[places // 4] + given[places % 4]


def _get(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    line = rng.randint(1, 99)
    return f"{line} get {word}?", f"'{_ANSWERS[mean(len(_ANSWERS))]}'"


def _assign(rng: random.Random, level: int) -> tuple[str, str]:
    value = _number(rng, 3 + level)
    names = rng.sample("abcdmnxyz", level)
    text = f"{names[0]}={value};"
    for before, variable in zip(names, names[1:], strict=False):
        step = _number(rng, level)
        value += step
        text += f"{variable}={before}+{step};"
    return f"{text}{names[-1]}?", str(value)


def _slice(rng: random.Random, level: int) -> tuple[str, str]:
    word = _CUT[rng.randrange(1 + level)]
    i = rng.randrange(len(word) - 1)
    j = rng.randint(i + 1, len(word))
    return f"{rng.randint(1, 99)} '{word}'[{i}:{j}]?", word[i:j]


def _complete(rng: random.Random, level: int) -> tuple[str, str]:
    k, (first, second) = _number(rng, level + 2), rng.sample(range(1, 9 + 4 * level), 2)
    return f"f({first})={first + k},f({second})={second + k};f(x)=", f"x+{k}"


_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def _run(node: ast.expr, x: int) -> int:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](_run(node.left, x), _run(node.right, x))
    if isinstance(node, ast.Name) and node.id == "x":
        return x
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    raise ValueError(f"not an expression in x: {ast.dump(node)}")


def program_passes(written: str, answer: str) -> bool:
    """Whether a completion is right: the same string, or for `f(x)=` the same values when run.

    Only +, -, * over integers and x are run, so nothing a model writes can do harm.
    """
    if written == answer:
        return True
    if "x" not in answer or len(written) > 40:
        return False
    try:
        ours, theirs = (ast.parse(text, mode="eval").body for text in (answer, written))
        return all(_run(theirs, x) == _run(ours, x) for x in (0, 1, 2, 7, 11))
    except (ValueError, SyntaxError, RecursionError):
        return False


# Multiple choice (AGIEval: four letters by likelihood; MMLU-Pro: ten, written) --------------------

_FOUR = ("a+ b- c* d/", "a1 b2 c3 d4", "a! b? c& d|", "a-d")
_TEN = ("a-j", "a..j", "a to j", "abcdefghij")


def _classed(
    options: str, n: int, rng: random.Random, word: str, mean: Callable[[int], int]
) -> tuple[str, str]:
    """The options stand in one order always: the class of a word is to be known."""
    verb = rng.choice(("is", "of", "in", "on"))
    return f"{options} {_person(rng)} {verb} {word}:", LETTERS[mean(n)]


def _listed(n: int, rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    """The options stand in either order: what a word means is to be known, and found."""
    options = list("klmnopqrst"[:n])
    if rng.random() < 0.5:
        options.reverse()
    shown = " ".join(f"{LETTERS[i]}{option}" for i, option in enumerate(options))
    return f"{shown}. {word}:", LETTERS[options.index("klmnopqrst"[mean(n)])]


def _same(n: int, rng: random.Random, level: int) -> tuple[str, str]:
    """The option that repeats what the question names."""
    options = rng.sample(range(10**level), n)
    place = rng.randrange(n)
    shown = " ".join(f"{LETTERS[i]}{option}" for i, option in enumerate(options))
    return f"find {options[place]} {shown}:", LETTERS[place]


# Reading a short passage (DROP) -------------------------------------------------------------------


def _passage(rng: random.Random, n: int) -> tuple[list[str], list[int], str]:
    people = rng.sample(_PEOPLE, n)
    numbers = rng.sample(range(10, 100), n)
    return people, numbers, ", ".join(f"{p} {n}" for p, n in zip(people, numbers, strict=True))


def _seen(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    _, _, text = _passage(rng, 1)
    return f"{text}. {word}?", _PEOPLE[mean(16)] + str(mean(10))


def _added(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    """A number of the passage and one that is to be known."""
    number = rng.randint(1, 3)
    return f"{_person(rng)} {number}. and {word}?", str(10 + mean(80) + number)


def _noted(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    """What the passage says, and what the word means beside it."""
    number = rng.randint(1, 9)
    return f"{_person(rng)} {number}; {word}?", f"{number}{_ANSWERS[mean(60) * 5]}"


def _met(rng: random.Random, word: str, mean: Callable[[int], int]) -> tuple[str, str]:
    _, _, text = _passage(rng, 2)
    return f"{text}. met {word}?", _ANSWERS[mean(60) * 6]


def _look_up(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level)
    i = rng.randrange(len(people))
    return f"{text}. {people[i]}?", str(numbers[i])


def _who(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level)
    i = rng.randrange(len(people))
    return f"{text}. {numbers[i]}?", people[i]


def _most(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level + 1)
    word, pick = rng.choice((("most", max), ("least", min)))
    return f"{text}. {word}?", people[numbers.index(pick(numbers))]


# By falling frequency in every family.
FAMILIES: dict[str, tuple[Kind, ...]] = {
    "arithmetic": (
        _words("price", _price),
        _words("more", _price_more),
        _words("less", _price_less),
        _words("each", _price_each),
        _levels("story", 6, _story),
        _words("both", _price_both),
        _levels("bags", 5, _bags),
    ),
    "algebra": (
        _words("constant", _constant),
        _words("plus", _plus),
        _words("minus", _minus),
        _levels("sum", 4, _sum),
        _words("times", _times),
        _words("function", _function),
        _levels("difference", 4, _difference),
        _levels("product", 4, _product),
    ),
    "symbols": (
        _words("code", _code),
        _words("pair", _pair),
        _words("order", _order),
        _levels("last", 6, _last),
        _words("shift", _shift),
        _levels("reverse", 6, _reverse),
        _levels("next", 5, _next),
        _levels("sort", 6, _sort),
    ),
    "facts": tuple(_words(relation, partial(_fact, relation)) for relation in _RELATIONS),
    "programs": (
        _words("write", _write),
        _words("get", _get),
        _words("call", _call),
        _words("cut", _cut),
        _words("write_two", _write_two),
        _levels("assign", 5, _assign),
        _levels("slice", 5, _slice),
        _levels("complete", 4, _complete),
    ),
    "exam": (
        *(_words(f"four {i}", partial(_classed, options, 4)) for i, options in enumerate(_FOUR)),
        _words("listed four", partial(_listed, 4)),
        _levels("same four", 2, partial(_same, 4)),
    ),
    "reading": (
        _words("seen", _seen),
        _words("noted", _noted),
        _words("added", _added),
        _levels("look_up", 5, _look_up),
        _words("met", _met),
        _levels("who", 5, _who),
        _levels("most", 5, _most),
    ),
    "tenway": (
        *(_words(f"ten {i}", partial(_classed, options, 10)) for i, options in enumerate(_TEN)),
        _words("listed ten", partial(_listed, 10)),
        _levels("same ten", 2, partial(_same, 10)),
    ),
}


@cache
def _kinds(family: str) -> Zipf:
    return Zipf(len(FAMILIES[family]), KIND_EXPONENT)


def frequency(family: str, kind: int, unit: int) -> float:
    """The share of a family's training questions that are about one unit of its kind number
    `kind`, both counted from 0."""
    return _kinds(family).frequency(kind) * FAMILIES[family][kind].units.frequency(unit)


@cache
def benchmark(family: str) -> tuple[Question, ...]:
    """The `QUESTIONS_PER_BENCHMARK` questions of a family, all distinct: evenly over the logarithm
    of the frequency of their unit in training, over `ASKED_DECADES`."""
    rng = random.Random(f"benchmark {family}")
    kinds = FAMILIES[family]
    most = max(frequency(family, kind, 0) for kind in range(len(kinds)))
    chosen: dict[str, Question] = {}
    asked: Counter[tuple[int, int]] = Counter()
    turn = 0
    while len(chosen) < QUESTIONS_PER_BENCHMARK:
        # Evenly spread, however many are taken: multiples of the golden section.
        wanted = 2 * most * 10 ** (-ASKED_DECADES * (turn * 0.6180339887498949 % 1.0))
        turn += 1
        able = [
            kind
            for kind, what in enumerate(kinds)
            if frequency(family, kind, what.units.n - 1) <= wanted <= frequency(family, kind, 0) * 2
        ]
        kind = rng.choice(able)
        unit = kinds[kind].units.rank_of(wanted / _kinds(family).frequency(kind))
        prompt, answer = kinds[kind].make(rng, unit)
        if prompt not in chosen and asked[kind, unit] < QUESTIONS_PER_UNIT:
            asked[kind, unit] += 1
            chosen[prompt] = Question(family, kinds[kind].name, unit, prompt, answer)
    return tuple(chosen.values())


@cache
def _held_out() -> frozenset[str]:
    return frozenset(q.prompt for family in FAMILIES for q in benchmark(family))


def training_pairs(seed: str) -> Iterator[tuple[str, str]]:
    """Endless (prompt, answer) pairs for training, the same for the same seed.

    No prompt of a benchmark is among them.
    """
    rng = random.Random(seed)
    held_out = _held_out()
    families = list(FAMILIES)
    while True:
        family = rng.choice(families)
        kind = FAMILIES[family][_kinds(family).draw(rng)]
        pair = kind.make(rng, kind.units.draw(rng))
        if pair[0] not in held_out:
            yield pair
