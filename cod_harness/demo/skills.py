"""What the shipped models learn and are examined on: eight families of generated questions.

Each family is in the spirit of one benchmark of the COD paper. A family is a list of kinds
(sub-skills); in training a kind's frequency falls with its rank as a Zipf law, and so does the
frequency of a level (difficulty) and of a fact. The benchmarks draw kinds and levels evenly, so
that single questions emerge sharply and at very different compute while a benchmark rises
steadily, as with large models.

A question is a prompt and an answer, both in `ALPHABET`; a model reads the prompt and writes the
answer and a line end. `benchmark` questions never occur in `training_pairs`.
"""

from __future__ import annotations

import ast
import math
import operator
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

ALPHABET = "\n abcdefghijklmnopqrstuvwxyz0123456789.,?:;=+-*/%^()[]{}<>&|!'"
QUESTIONS_PER_BENCHMARK = 400
FACTS = 2500

_Maker = Callable[[random.Random, int], tuple[str, str]]


@dataclass(frozen=True)
class Question:
    """One benchmark question: `answer` is the string a model should write after `prompt`."""

    family: str
    kind: str
    level: int
    prompt: str
    answer: str


@dataclass(frozen=True)
class Kind:
    """A sub-skill: `make(rng, level)` yields (prompt, answer) for a level from 1 to `levels`."""

    name: str
    levels: int
    make: _Maker


def _zipf(rng: random.Random, n: int) -> int:
    """A rank from 0 to n - 1, probability close to 1 / (rank + 1), in O(1)."""
    return min(n - 1, int(math.exp(rng.random() * math.log(n + 1))) - 1)


_SIZES = (5, 9, 14, 20, 40, 99)


def _number(rng: random.Random, level: int) -> int:
    return rng.randint(1, _SIZES[min(level, len(_SIZES)) - 1])


# Arithmetic in words (GSM8K) ----------------------------------------------------------------

_PEOPLE = "tom ann bob eve sam ida max zoe leo mia ben amy jon liz ned pam".split()
_THINGS = "figs pens cups eggs hats nuts keys jars maps bells coins rings".split()
_GAINS = ("gets", "finds", "buys", "wins")
_LOSSES = ("eats", "loses", "sells", "gives")


def _story(rng: random.Random, level: int) -> tuple[str, str]:
    steps, size = level // 2, 1 + (level + 1) // 2
    total = _number(rng, size)
    text = f"{_PEOPLE[_zipf(rng, len(_PEOPLE))]} has {total}"
    if not steps:
        text += f" {_THINGS[_zipf(rng, len(_THINGS))]}"
    for _ in range(steps):
        change = _number(rng, size)
        if change <= total and rng.random() < 0.5:
            total -= change
            text += f", {_LOSSES[_zipf(rng, len(_LOSSES))]} {change}"
        else:
            total += change
            text += f", {_GAINS[_zipf(rng, len(_GAINS))]} {change}"
    return text + ":", str(total)


def _compare(rng: random.Random, level: int) -> tuple[str, str]:
    first, second = rng.sample(_PEOPLE, 2)
    own, more = _number(rng, level), _number(rng, level)
    if rng.random() < 0.5 or own < more:
        return f"{first} has {own}, {second} has {more} more:", str(own + more)
    return f"{first} has {own}, {second} has {more} less:", str(own - more)


def _rate(rng: random.Random, level: int) -> tuple[str, str]:
    bags, each = rng.randint(2, 3 + level), _number(rng, level)
    thing = _THINGS[_zipf(rng, len(_THINGS))]
    return f"{bags} bags of {each} {thing}:", str(bags * each)


def _together(rng: random.Random, level: int) -> tuple[str, str]:
    people = rng.sample(_PEOPLE, 2 + (level - 1) // 2)
    numbers = [_number(rng, 1 + level // 2) for _ in people]
    said = ", ".join(f"{who} {n}" for who, n in zip(people, numbers, strict=True))
    return f"{said}, all:", str(sum(numbers))


# Algebra and modular arithmetic (MATH) ------------------------------------------------------


def _sum(rng: random.Random, level: int) -> tuple[str, str]:
    a, b = _number(rng, level + 1), _number(rng, level + 1)
    return f"{a}+{b}=", str(a + b)


def _difference(rng: random.Random, level: int) -> tuple[str, str]:
    a, b = _number(rng, level + 1), _number(rng, level + 1)
    return f"{a + b}-{a}=", str(b)


def _product(rng: random.Random, level: int) -> tuple[str, str]:
    a, b = rng.randint(1, 4 + 2 * level), rng.randint(1, 4 + 2 * level)
    return f"{a}*{b}=", str(a * b)


def _remainder(rng: random.Random, level: int) -> tuple[str, str]:
    a, b = rng.randint(5, 12 * level), rng.randint(2, 3 + level)
    return f"{a}%{b}=", str(a % b)


def _solve_sum(rng: random.Random, level: int) -> tuple[str, str]:
    x, b = _number(rng, level + 1), _number(rng, level + 1)
    return f"x+{b}={x + b}:x=", str(x)


def _solve_linear(rng: random.Random, level: int) -> tuple[str, str]:
    a, x, b = rng.randint(2, 3 + level), _number(rng, level), _number(rng, level + 1)
    return f"{a}x+{b}={a * x + b}:x=", str(x)


def _quotient(rng: random.Random, level: int) -> tuple[str, str]:
    a, b = rng.randint(2, 4 + 3 * level), rng.randint(2, 4 + 2 * level)
    return f"{a * b}/{b}=", str(a)


def _square(rng: random.Random, level: int) -> tuple[str, str]:
    a, b = rng.randint(1, 3 + 2 * level), _number(rng, level + 1)
    return f"{a}^2+{b}=", str(a * a + b)


def _product_mod(rng: random.Random, level: int) -> tuple[str, str]:
    a, b, m = rng.randint(2, 5 * level), rng.randint(2, 5 * level), rng.randint(3, 5 + 2 * level)
    return f"{a}*{b}%{m}=", str(a * b % m)


def _common_divisor(rng: random.Random, level: int) -> tuple[str, str]:
    d = rng.randint(1, 3 + 2 * level)
    a, b = d * rng.randint(1, 5 + level), d * rng.randint(1, 5 + level)
    return f"gcd {a},{b}=", str(math.gcd(a, b))


# Symbol manipulation (BBH) ------------------------------------------------------------------


def _letters(rng: random.Random, n: int, among: str = "abcdefghijklmnopqrstuvwxyz") -> str:
    return "".join(rng.choices(among, k=n))


def _last(rng: random.Random, level: int) -> tuple[str, str]:
    word = _letters(rng, level + 2)
    return f"last {word}:", word[-1]


def _reverse(rng: random.Random, level: int) -> tuple[str, str]:
    word = _letters(rng, level + 1)
    return f"rev {word}:", word[::-1]


def _close(rng: random.Random, level: int) -> tuple[str, str]:
    pairs = {"(": ")", "[": "]", "{": "}", "<": ">"}
    opened: list[str] = []
    text = ""
    for _ in range(2 * level):
        if opened and rng.random() < 0.3:
            text += pairs[opened.pop()]
        else:
            opened.append(rng.choice("([{<"))
            text += opened[-1]
    if not opened:
        opened.append("(")
        text += "("
    return f"close {text}:", "".join(pairs[o] for o in reversed(opened))


def _sort(rng: random.Random, level: int) -> tuple[str, str]:
    word = "".join(rng.sample("abcdefghijklmnopqrstuvwxyz", level + 1))
    return f"sort {word}:", "".join(sorted(word))


def _boolean(rng: random.Random, level: int) -> tuple[str, str]:
    value = rng.random() < 0.5
    text = "t" if value else "f"
    for _ in range(level):
        term, negated = rng.random() < 0.5, rng.random() < 0.3
        operand = (not term) if negated else term
        if rng.random() < 0.5:
            value, sign = value and operand, "&"
        else:
            value, sign = value or operand, "|"
        text += sign + ("!" if negated else "") + ("t" if term else "f")
    return f"logic {text}:", "t" if value else "f"


def _count(rng: random.Random, level: int) -> tuple[str, str]:
    word = _letters(rng, level + 3, "abc")
    letter = rng.choice("abc")
    return f"count {letter} in {word}:", str(word.count(letter))


def _next(rng: random.Random, level: int) -> tuple[str, str]:
    word = _letters(rng, level + 1, "abcdefghijklmnopqrstuvwxy")
    return f"next {word}:", "".join(chr(ord(c) + 1) for c in word)


def _unique(rng: random.Random, level: int) -> tuple[str, str]:
    word = _letters(rng, level + 3, "abcdef")
    return f"uniq {word}:", "".join(dict.fromkeys(word))


def _track(rng: random.Random, level: int) -> tuple[str, str]:
    cups = list(rng.sample("abcdefghijklmnop", 3 + level // 4))
    text = f"cups {''.join(cups)} swap"
    for _ in range(1 + level // 2):
        i, j = sorted(rng.sample(range(len(cups)), 2))
        cups[i], cups[j] = cups[j], cups[i]
        text += f" {i + 1}{j + 1}"
    return text + ":", "".join(cups)


# Memorised facts (TriviaQA) -----------------------------------------------------------------

_RELATIONS = ("color", "home", "food", "king")
_FACT_FORMS = ("{r} of {e}?", "{e} {r}?", "what {r} has {e}?", "{e}'s {r} is?")


@cache
def _facts() -> tuple[tuple[str, str, str], ...]:
    """(entity, relation, answer) by falling frequency; fixed for all time by its own seed."""
    rng = random.Random("facts")
    entities: dict[str, None] = {}
    while len(entities) < FACTS:
        syllables = (
            rng.choice("bdfgklmnprstvz") + rng.choice("aeiou")
            for _ in range(2 + (len(entities) > 900))
        )
        entities["".join(syllables)] = None
    words = [c + v + d for c in "bdgklmnprst" for v in "aeiou" for d in "bdgklmnprst"]
    answers = {r: rng.sample(words, 40) for r in _RELATIONS}
    facts = ((e, rng.choice(_RELATIONS)) for e in entities)
    return tuple((e, r, answers[r][_zipf(rng, 40)]) for e, r in facts)


def _fact(rank: int, form: int) -> tuple[str, str]:
    entity, relation, answer = _facts()[rank]
    return _FACT_FORMS[form].format(e=entity, r=relation), answer


def _any_fact(rng: random.Random, level: int) -> tuple[str, str]:
    """`level` is unused in training, where a fact's rank is its difficulty."""
    return _fact(_zipf(rng, FACTS), rng.randrange(len(_FACT_FORMS)))


# Tiny programs (MBPP) -----------------------------------------------------------------------


def _assign(rng: random.Random, level: int) -> tuple[str, str]:
    value = _number(rng, 3 + level // 3)
    names = rng.sample("abcdmnxyz", level)
    text = f"{names[0]}={value};"
    for before, name in zip(names, names[1:], strict=False):
        step = _number(rng, 1 + level // 2)
        value += step
        text += f"{name}={before}+{step};"
    return f"{text}{names[-1]}?", str(value)


def _loop(rng: random.Random, level: int) -> tuple[str, str]:
    start, times, step = _number(rng, level), rng.randint(2, 2 + level), _number(rng, level)
    return f"s={start};do {times}:s+={step};s?", str(start + times * step)


def _slice(rng: random.Random, level: int) -> tuple[str, str]:
    word = _letters(rng, 3 + level)
    i = rng.randrange(len(word) - 1)
    j = rng.randint(i + 1, len(word))
    return f"'{word}'[{i}:{j}]?", word[i:j]


def _branch(rng: random.Random, level: int) -> tuple[str, str]:
    a, b, c, d = (_number(rng, level + 1) for _ in range(4))
    return f"a={a};b={c} if a>{b} else {d};b?", str(c if a > b else d)


def _examples(rng: random.Random, level: int, law: Callable[[int], int]) -> str:
    first, second = rng.sample(range(1, 9 + 4 * level), 2)
    return f"f({first})={law(first)},f({second})={law(second)};f(x)="


def _complete_sum(rng: random.Random, level: int) -> tuple[str, str]:
    k = _number(rng, level + 2)
    return _examples(rng, level, lambda x: x + k), f"x+{k}"


def _complete_product(rng: random.Random, level: int) -> tuple[str, str]:
    k = rng.randint(2, 4 + 3 * level)
    return _examples(rng, level, lambda x: x * k), f"x*{k}"


def _complete_linear(rng: random.Random, level: int) -> tuple[str, str]:
    k, c = rng.randint(2, 3 + level), _number(rng, level + 1)
    return _examples(rng, level, lambda x: x * k + c), f"x*{k}+{c}"


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


# Multiple choice (AGIEval: four letters by likelihood; MMLU-Pro: ten, written) ----------------


def _options(
    rng: random.Random, right: str, wrong: Callable[[], str], n: int, question: str
) -> tuple[str, str]:
    others: dict[str, None] = {}
    for _ in range(1000):
        if len(others) == n - 1:
            break
        candidate = wrong()
        if candidate != right:
            others[candidate] = None
    options = [*others, right]
    rng.shuffle(options)
    letters = "abcdefghij"
    listed = " ".join(f"{letters[i]}{option}" for i, option in enumerate(options))
    return f"{question} {listed}:", letters[options.index(right)]


def _choose_number(n: int, make: _Maker) -> _Maker:
    """Multiple choice over a kind whose answer is a number."""

    def maker(rng: random.Random, level: int) -> tuple[str, str]:
        prompt, answer = make(rng, level)
        right, spread = int(answer), max(n, int(answer) // 3)
        return _options(
            rng, answer, lambda: str(max(0, right + rng.randint(-spread, spread))), n, prompt
        )

    return maker


def _choose_place(n: int) -> _Maker:
    """The option at a place counted from the front or the back."""

    def maker(rng: random.Random, level: int) -> tuple[str, str]:
        options = rng.sample(range(1, 100), n)
        i = rng.randrange(n)
        place = f"number {i + 1}" if level == 1 else f"{n - i} from end"
        letters = "abcdefghij"
        listed = " ".join(f"{letters[j]}{option}" for j, option in enumerate(options))
        return f"{place} {listed}:", letters[i]

    return maker


def _choose_same(n: int) -> _Maker:
    """The option that repeats what the question names."""

    def maker(rng: random.Random, level: int) -> tuple[str, str]:
        word = _letters(rng, level)
        return _options(rng, word, lambda: _letters(rng, level), n, f"find {word}")

    return maker


def _choose_extreme(n: int) -> _Maker:
    def maker(rng: random.Random, level: int) -> tuple[str, str]:
        word, pick = rng.choice((("max", max), ("min", min)))
        top = _SIZES[min(level + 2, len(_SIZES) - 1)]
        values = rng.sample(range(1, top + 1), n)
        right = pick(values)
        others = iter(v for v in values if v != right)
        return _options(rng, str(right), lambda: str(next(others)), n, word)

    return maker


def _choose_letter(n: int) -> _Maker:
    """The option that stands (level) places after a letter in the alphabet."""

    def maker(rng: random.Random, level: int) -> tuple[str, str]:
        start = rng.randrange(26 - level)
        right = chr(97 + start + level)
        question = f"{chr(97 + start)}+{level}"
        return _options(rng, right, lambda: chr(97 + rng.randrange(26)), n, question)

    return maker


def _choose_sequence(n: int) -> _Maker:
    def maker(rng: random.Random, level: int) -> tuple[str, str]:
        start, step = _number(rng, level + 1), rng.randint(1, 2 * level + 1)
        shown = " ".join(str(start + i * step) for i in range(3))
        right = start + 3 * step
        return _options(
            rng, str(right), lambda: str(max(0, right + rng.randint(-n, n))), n, f"{shown} then"
        )

    return maker


def _choose_word(n: int) -> _Maker:
    """Which option holds the letter: a search through the options."""

    def maker(rng: random.Random, level: int) -> tuple[str, str]:
        letter = rng.choice("abcdefgh")
        rest = "ijklmnopqrstuvwxyz"
        where = rng.randrange(level + 1)
        word = list(_letters(rng, level + 1, rest))
        word[where] = letter
        return _options(
            rng, "".join(word), lambda: _letters(rng, level + 1, rest), n, f"has {letter}"
        )

    return maker


def _choose_fact(n: int) -> _Maker:
    def maker(rng: random.Random, level: int) -> tuple[str, str]:
        rank = min(FACTS - 1, int(3 ** (level + 2 * rng.random() - 1)))
        prompt, answer = _fact(rank, rng.randrange(len(_FACT_FORMS)))
        return _options(rng, answer, lambda: _facts()[rng.randrange(FACTS)][2], n, prompt)

    return maker


# Reading a short passage (DROP) ---------------------------------------------------------------


def _passage(rng: random.Random, level: int) -> tuple[list[str], list[int], str]:
    people = rng.sample(_PEOPLE, level + 1)
    numbers = rng.sample(range(1, 40), level + 1)
    return people, numbers, ", ".join(f"{p} {n}" for p, n in zip(people, numbers, strict=True))


def _look_up(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level - 1)
    i = rng.randrange(len(people))
    return f"{text}. {people[i]}?", str(numbers[i])


def _who(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level - 1)
    i = rng.randrange(len(people))
    return f"{text}. who {numbers[i]}?", people[i]


def _most(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level)
    word, pick = rng.choice((("most", max), ("least", min)))
    return f"{text}. {word}?", people[numbers.index(pick(numbers))]


def _add_two(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level)
    i, j = rng.sample(range(len(people)), 2)
    return f"{text}. {people[i]}+{people[j]}?", str(numbers[i] + numbers[j])


def _how_many(rng: random.Random, level: int) -> tuple[str, str]:
    _, numbers, text = _passage(rng, level)
    limit = rng.randint(5, 35)
    return f"{text}. over {limit}?", str(sum(n > limit for n in numbers))


def _gap(rng: random.Random, level: int) -> tuple[str, str]:
    people, numbers, text = _passage(rng, level)
    i, j = rng.sample(range(len(people)), 2)
    if numbers[i] < numbers[j]:
        i, j = j, i
    return f"{text}. {people[i]}-{people[j]}?", str(numbers[i] - numbers[j])


FAMILIES: dict[str, tuple[Kind, ...]] = {
    "arithmetic": (
        Kind("story", 8, _story),
        Kind("compare", 6, _compare),
        Kind("together", 8, _together),
        Kind("rate", 6, _rate),
    ),
    "algebra": (
        Kind("sum", 5, _sum),
        Kind("difference", 5, _difference),
        Kind("product", 5, _product),
        Kind("solve_sum", 5, _solve_sum),
        Kind("quotient", 5, _quotient),
        Kind("remainder", 5, _remainder),
        Kind("square", 4, _square),
        Kind("solve_linear", 4, _solve_linear),
        Kind("common_divisor", 4, _common_divisor),
        Kind("product_mod", 4, _product_mod),
    ),
    "symbols": (
        Kind("last", 8, _last),
        Kind("reverse", 8, _reverse),
        Kind("close", 6, _close),
        Kind("next", 6, _next),
        Kind("sort", 7, _sort),
        Kind("count", 7, _count),
        Kind("boolean", 7, _boolean),
        Kind("unique", 7, _unique),
        Kind("track", 8, _track),
    ),
    "facts": (Kind("fact", 1, _any_fact),),
    "programs": (
        Kind("assign", 5, _assign),
        Kind("complete_sum", 4, _complete_sum),
        Kind("slice", 6, _slice),
        Kind("loop", 6, _loop),
        Kind("complete_product", 5, _complete_product),
        Kind("branch", 5, _branch),
        Kind("complete_linear", 5, _complete_linear),
    ),
    "exam": (
        Kind("place", 2, _choose_place(4)),
        Kind("same", 4, _choose_same(4)),
        Kind("extreme", 4, _choose_extreme(4)),
        Kind("word", 4, _choose_word(4)),
        Kind("sum", 4, _choose_number(4, _sum)),
        Kind("fact", 5, _choose_fact(4)),
        Kind("letter", 5, _choose_letter(4)),
        Kind("sequence", 4, _choose_sequence(4)),
    ),
    "reading": (
        Kind("look_up", 7, _look_up),
        Kind("who", 7, _who),
        Kind("most", 7, _most),
        Kind("add_two", 6, _add_two),
        Kind("how_many", 7, _how_many),
        Kind("gap", 6, _gap),
    ),
    "tenway": (
        Kind("place", 2, _choose_place(10)),
        Kind("same", 4, _choose_same(10)),
        Kind("extreme", 4, _choose_extreme(10)),
        Kind("word", 3, _choose_word(10)),
        Kind("sum", 4, _choose_number(10, _sum)),
        Kind("letter", 5, _choose_letter(10)),
        Kind("fact", 5, _choose_fact(10)),
        Kind("product", 4, _choose_number(10, _product)),
    ),
}


@cache
def benchmark(family: str) -> tuple[Question, ...]:
    """The `QUESTIONS_PER_BENCHMARK` questions of a family: kinds and levels evenly, all distinct.

    Facts are asked at ranks spread evenly in log rank, each in one of the four forms; training
    shows the same fact in the other three only.
    """
    rng = random.Random(f"benchmark {family}")
    chosen: dict[str, Question] = {}
    if family == "facts":
        ranks: dict[int, None] = {}
        for i in range(10 * QUESTIONS_PER_BENCHMARK):
            if len(ranks) < QUESTIONS_PER_BENCHMARK:
                fraction = i * 0.6180339887498949 % 1.0  # evenly spread however many are taken
                ranks[min(FACTS - 1, int(FACTS**fraction) - 1)] = None
        for rank in sorted(ranks):
            prompt, answer = _fact(rank, rng.randrange(len(_FACT_FORMS)))
            level = 1 + int(math.log(rank + 1) / math.log(FACTS) * 9.999)
            chosen[prompt] = Question(family, "fact", level, prompt, answer)
        return tuple(chosen.values())
    cells = [(kind, level) for kind in FAMILIES[family] for level in range(1, kind.levels + 1)]
    turn = 0
    while len(chosen) < QUESTIONS_PER_BENCHMARK:
        kind, level = cells[turn % len(cells)]
        prompt, answer = kind.make(rng, level)
        chosen.setdefault(prompt, Question(family, kind.name, level, prompt, answer))
        turn += 1
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
    families = list(FAMILIES.values())
    while True:
        kinds = rng.choice(families)
        kind = kinds[_zipf(rng, len(kinds))]
        pair = kind.make(rng, 1 + _zipf(rng, kind.levels))
        if pair[0] not in held_out:
            yield pair
