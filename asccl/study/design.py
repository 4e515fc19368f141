"""Who sees what: the schedule of one participant, fixed when they join and kept with their answers.

Pairs that were seen least come first, chance decides among equals. Questions come in blocks, in an order of chance, so
that an answer to one does not colour the next about the same pair. Half of a block's pairs have their first method on
the left, which half is chance. Repeats have their sides swapped and keep a distance. All chance is from one seed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from asccl.study.plan import Plan

KINDS = ("training", "main", "repeat", "identical", "broken")
BROKEN = "(broken)"  # stands for a method on the side of a broken clip
GAP = 3  # trials between a pair and its repeat, where the block is long enough


@dataclass(frozen=True)
class MethodPair:
    """Two methods of one item, the first before the second in the order of the alphabet."""

    item: str
    first: str
    second: str


@dataclass(frozen=True)
class Trial:
    """One screen. left, right: methods, or BROKEN."""

    kind: str
    question: str
    item: str
    left: str
    right: str


def all_pairs(items: Sequence[str], methods: Sequence[str]) -> list[MethodPair]:
    return [MethodPair(item, *two) for item in items for two in combinations(sorted(methods), 2)]


def participant_seed(study_seed: int, number: int) -> int:
    """Of the participant who is the `number`-th to join; 53 bits, so that JSON keeps it."""
    return int.from_bytes(hashlib.sha256(f"{study_seed}:{number}".encode()).digest()[:7]) >> 3


def schedule(
    plan: Plan, pairs: Sequence[MethodPair], filled: Mapping[MethodPair, int], seed: int, with_broken: Sequence[str]
) -> list[Trial]:
    """filled: how often each pair was given out. with_broken: items that have a broken clip."""
    rng = random.Random(seed)
    order = sorted(pairs, key=lambda pair: (filled.get(pair, 0), rng.random()))
    chosen = order[: plan.quota or len(order)]
    questions = [question.id for question in plan.questions]
    rng.shuffle(questions)
    catches = _catches(plan, chosen, questions, with_broken, rng)
    repeated = _shares(plan.repeats, questions)
    trials: list[Trial] = []
    for question in questions:
        trials += _block(question, chosen, repeated[question], catches[question], rng)
    practice = [_training(questions[0], chosen, rng) for _ in range(plan.training)]
    return practice + trials


def _block(
    question: str, pairs: Sequence[MethodPair], repeats: int, catches: Sequence[Trial], rng: random.Random
) -> list[Trial]:
    flips = [index % 2 == 0 for index in range(len(pairs))]
    if len(pairs) % 2:
        flips[-1] = bool(rng.getrandbits(1))
    rng.shuffle(flips)
    mixed = list(pairs)
    rng.shuffle(mixed)
    main = [_trial(question, pair, flip) for pair, flip in zip(mixed, flips, strict=True)]
    out = list(main)
    for catch in catches:
        out.insert(rng.randint(0, len(out)), catch)
    early = main[: max(1, len(main) - GAP)]
    for trial in rng.sample(early, min(repeats, len(early))):
        nearest = min(out.index(trial) + 1 + GAP, len(out))
        again = replace(trial, kind="repeat", left=trial.right, right=trial.left)
        out.insert(rng.randint(nearest, len(out)), again)
    return out


def _trial(question: str, pair: MethodPair, flip: bool) -> Trial:
    left, right = (pair.second, pair.first) if flip else (pair.first, pair.second)
    return Trial("main", question, pair.item, left, right)


def _catches(
    plan: Plan, pairs: Sequence[MethodPair], questions: Sequence[str], with_broken: Sequence[str], rng: random.Random
) -> dict[str, list[Trial]]:
    """Question -> its catch trials; spread over the questions."""
    found: dict[str, list[Trial]] = {question: [] for question in questions}
    turn = 0
    for _ in range(plan.identical):
        pair = rng.choice(pairs)
        method, question = rng.choice((pair.first, pair.second)), questions[turn % len(questions)]
        found[question].append(Trial("identical", question, pair.item, method, method))
        turn += 1
    for _ in range(plan.broken if with_broken else 0):
        question, item = questions[turn % len(questions)], rng.choice(with_broken)
        sides = [rng.choice((pairs[0].first, pairs[0].second)), BROKEN]
        rng.shuffle(sides)
        found[question].append(Trial("broken", question, item, *sides))
        turn += 1
    return found


def _shares(total: int, questions: Sequence[str]) -> dict[str, int]:
    each, more = divmod(total, len(questions))
    return {question: each + (index < more) for index, question in enumerate(questions)}


def _training(question: str, pairs: Sequence[MethodPair], rng: random.Random) -> Trial:
    return replace(_trial(question, rng.choice(pairs), bool(rng.getrandbits(1))), kind="training")
