"""The design of a study: the schedule of trials of one participant, fixed at consent and stored with the answers.

Pairs that were assigned least often come first, in random order among equals. Questions come in blocks, in random
order, so that an answer to one question does not influence the next about the same pair; each begins with practice. In
half of a block's pairs the first method is on the left; which half is random. Repeats swap the sides and come some
trials later. All randomness comes from one seed.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, cycle

from asccl.study.plan import StudyPlan

BROKEN = "(broken)"  # stands for the method on the side of a broken clip
SETUP_SECONDS = 60.0  # assumed for the first pages
VIEWINGS, ANSWER_SECONDS = 1.3, 5.0  # assumed of a trial
MIN_REPEAT_GAP = 3  # trials between a pair and its repeat, where the block is long enough


@dataclass(frozen=True)
class MethodPair:
    """Two methods of one item, in alphabetical order."""

    item: str
    first: str
    second: str


@dataclass(frozen=True)
class Trial:
    """One question about one pair of clips.

    Attributes:
        kind: "training", "main", "repeat", "identical" or "broken".
        question: id of the question.
        item: name of the item.
        left: method of the left clip, or `BROKEN`.
        right: method of the right clip, or `BROKEN`.
    """

    kind: str
    question: str
    item: str
    left: str
    right: str


def method_pairs(items: Sequence[str], methods: Sequence[str]) -> list[MethodPair]:
    """Return every pair of methods of every item."""
    return [MethodPair(item, *pair) for item in items for pair in combinations(sorted(methods), 2)]


def participant_seed(study_seed: int, number: int) -> int:
    """Return the seed of the `number`-th participant to join: 53 bits, so that JSON keeps it exactly."""
    return int.from_bytes(hashlib.sha256(f"{study_seed}:{number}".encode()).digest()[:7]) >> 3


def schedule_trials(
    plan: StudyPlan,
    pairs: Sequence[MethodPair],
    assigned: Mapping[MethodPair, int],
    seed: int,
    items_with_broken: Sequence[str],
) -> list[Trial]:
    """Return all trials of one participant, in order.

    Args:
        plan: the settings of the study.
        pairs: all pairs of the study.
        assigned: how often each pair was assigned to participants before.
        seed: of the participant.
        items_with_broken: items that have a broken clip.
    """
    rng = random.Random(seed)
    order = sorted(pairs, key=lambda pair: (assigned.get(pair, 0), rng.random()))
    chosen = order[: plan.quota or len(order)]
    questions = [question.id for question in plan.questions]
    rng.shuffle(questions)
    catch_trials = _catch_trials(plan, chosen, questions, items_with_broken, rng)
    repeats = _split_evenly(plan.repeats, questions)
    trials: list[Trial] = []
    for question in questions:
        trials += [_practice_trial(question, chosen, rng) for _ in range(plan.training)]
        trials += _question_block(question, chosen, repeats[question], catch_trials[question], rng)
    return trials


def expected_minutes(plan: StudyPlan, num_pairs: int, clip_seconds: float) -> int:
    """Return how many minutes a participant will need: the plan's own number, or an estimate, rounded up.

    Args:
        plan: the settings of the study.
        num_pairs: number of pairs of the study.
        clip_seconds: mean length of a clip.
    """
    if plan.minutes is not None:
        return plan.minutes
    pairs = min(plan.quota or num_pairs, num_pairs)
    trials = len(plan.questions) * (pairs + plan.training) + plan.repeats + plan.identical + plan.broken
    return math.ceil((SETUP_SECONDS + trials * (VIEWINGS * clip_seconds + ANSWER_SECONDS)) / 60)


def _question_block(
    question: str, pairs: Sequence[MethodPair], repeats: int, catch_trials: Sequence[Trial], rng: random.Random
) -> list[Trial]:
    flips = [index % 2 == 0 for index in range(len(pairs))]
    if len(pairs) % 2:
        flips[-1] = bool(rng.getrandbits(1))
    rng.shuffle(flips)
    shuffled = list(pairs)
    rng.shuffle(shuffled)
    main = [_main_trial(question, pair, flip) for pair, flip in zip(shuffled, flips, strict=True)]
    block = list(main)
    for trial in catch_trials:
        block.insert(rng.randint(0, len(block)), trial)
    repeatable = main[: max(1, len(main) - MIN_REPEAT_GAP)]
    for trial in rng.sample(repeatable, min(repeats, len(repeatable))):
        earliest = min(block.index(trial) + 1 + MIN_REPEAT_GAP, len(block))
        repeat = replace(trial, kind="repeat", left=trial.right, right=trial.left)
        block.insert(rng.randint(earliest, len(block)), repeat)
    return block


def _main_trial(question: str, pair: MethodPair, flip: bool) -> Trial:
    left, right = (pair.second, pair.first) if flip else (pair.first, pair.second)
    return Trial("main", question, pair.item, left, right)


def _practice_trial(question: str, pairs: Sequence[MethodPair], rng: random.Random) -> Trial:
    return replace(_main_trial(question, rng.choice(pairs), bool(rng.getrandbits(1))), kind="training")


def _catch_trials(
    plan: StudyPlan,
    pairs: Sequence[MethodPair],
    questions: Sequence[str],
    items_with_broken: Sequence[str],
    rng: random.Random,
) -> dict[str, list[Trial]]:
    """Return question -> its catch trials, which are spread over the questions."""
    trials: dict[str, list[Trial]] = {question: [] for question in questions}
    next_question = cycle(questions)
    for _ in range(plan.identical):
        pair = rng.choice(pairs)
        method, question = rng.choice((pair.first, pair.second)), next(next_question)
        trials[question].append(Trial("identical", question, pair.item, method, method))
    for _ in range(plan.broken if items_with_broken else 0):
        question, item = next(next_question), rng.choice(items_with_broken)
        sides = [rng.choice((pairs[0].first, pairs[0].second)), BROKEN]
        rng.shuffle(sides)
        trials[question].append(Trial("broken", question, item, *sides))
    return trials


def _split_evenly(total: int, questions: Sequence[str]) -> dict[str, int]:
    each, remainder = divmod(total, len(questions))
    return {question: each + (index < remainder) for index, question in enumerate(questions)}
