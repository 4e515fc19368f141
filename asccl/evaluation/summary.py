"""From shards of clips to the numbers of a table: scores of groups of clips, and differences of methods.

A group holds the clips of one setting, one method and one emotion. `POOLED` merges the clips of all emotions. `AVERAGE`
is the mean of the scores of the emotions, as in the last rows of the paper's tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from asccl.evaluation.baselines import BASELINES, COPY
from asccl.evaluation.manifest import SETTINGS, EvaluationRow, LeftOut
from asccl.evaluation.measure import Measure, MeasureSkippedError
from asccl.evaluation.scores import AVERAGE, NO_EMOTION, POOLED, ClipShard, Difference, GroupScore, Summary
from asccl.evaluation.shards import Shard
from asccl.evaluation.statistics import DRAWS, ClipStates, Interval, difference_interval, limit_draws, score_interval
from asccl.types import EMOTIONS

SEED = 0
MAX_UNPAIRED = 8  # frames by which source and generated video may end apart; codecs and offsets cost a few


class Summarizer:
    """Computes the numbers of a table.

    Args:
        measures: of the table.
        pools: real video -> states.
        default_pools: speaker -> real videos of clips that name none.
        draws: of a bootstrap.
    """

    def __init__(
        self,
        measures: Sequence[Measure],
        pools: Mapping[str, Shard],
        default_pools: Mapping[str, Sequence[str]],
        draws: int = DRAWS,
    ):
        self._measures, self._pools, self._default_pools, self._draws = measures, pools, default_pools, draws
        self._left_out: dict[str, LeftOut] = {}
        self._clip_scores: dict[tuple[str, ...], Interval | None] = {}  # by setting, clip, method and measure

    def summarize(self, clips: Sequence[ClipShard]) -> Summary:
        """Compute all numbers. Methods keep the order of the clips; how clips were sharded changes nothing."""
        self._left_out.clear()
        self._clip_scores.clear()
        methods = ordered_methods(clips)
        clips = sorted(clips, key=lambda clip: (methods.index(clip.row.method), clip.row.setting, clip.row.id))
        for clip in clips:
            self._note_length(clip)
        for measure in self._measures:
            self._note_undefined(measure, clips)
        groups = [score for setting in SETTINGS for score in self._score_setting(setting, clips)]
        differences = [d for setting in SETTINGS for d in self._compare_setting(setting, clips)]
        scores = [(clip, self._clip_intervals(clip)) for clip in clips]
        return Summary(scores, groups, differences, tuple(self._left_out.values()))

    def _note_length(self, clip: ClipShard) -> None:
        """List a clip whose source and generated video have other lengths: only their common frames are compared."""
        if clip.shard.unpaired > MAX_UNPAIRED:
            name = f"{clip.row.id} of {clip.row.method}, end"
            reason = f"{clip.shard.unpaired} frames of source or generated video have no partner and are not compared"
            self._left_out[name] = LeftOut(name, reason)

    def _note_undefined(self, measure: Measure, clips: Sequence[ClipShard]) -> None:
        """List a measure that no clip has, with the first reason: its row in the tables is empty."""
        reasons = [clip.shard.left_out[measure.name] for clip in clips if measure.name in clip.shard.left_out]
        if clips and len(reasons) == len(clips):
            self._left_out[measure.name] = LeftOut(measure.name, f"not measured on any clip ({reasons[0]})")

    def _score_setting(self, setting: str, clips: Sequence[ClipShard]) -> list[GroupScore]:
        scores = []
        for method in ordered_methods(clips):
            chosen = [clip for clip in clips if clip.row.setting == setting and clip.row.method == method]
            for measure in self._measures if chosen else ():
                scores += self._score_method(setting, method, measure, chosen)
        return scores

    def _score_method(
        self, setting: str, method: str, measure: Measure, clips: Sequence[ClipShard]
    ) -> list[GroupScore]:
        """Score each emotion, all clips together, and the mean of the emotions."""
        scores = []
        for emotion in (*EMOTIONS, NO_EMOTION):
            chosen = [clip for clip in clips if (clip.row.emotion or NO_EMOTION) == emotion]
            interval = self._interval(
                measure, chosen, f"{setting}, {method}, {emotion}", draws=self._cheap_draws(chosen, measure)
            )
            if interval is not None:
                scores.append(GroupScore(setting, method, emotion, measure.name, interval))
        average = _average([score.interval for score in scores if score.emotion != NO_EMOTION])
        pooled = self._interval(measure, clips, f"{setting}, {method}", self._draws)
        scores += [
            GroupScore(setting, method, name, measure.name, interval)
            for name, interval in ((AVERAGE, average), (POOLED, pooled))
            if interval is not None
        ]
        return scores

    def _cheap_draws(self, clips: Sequence[ClipShard], measure: Measure) -> int:
        """No draws for an emotion where a score takes long to compute."""
        return 0 if limit_draws(self._states(clips, measure), self._draws) < self._draws else self._draws

    def _interval(self, measure: Measure, clips: Sequence[ClipShard], name: str, draws: int) -> Interval | None:
        states = self._states(clips, measure)
        if not states.clips:
            return None
        try:
            return score_interval(measure, states, np.random.default_rng(SEED), draws)
        except MeasureSkippedError as reason:
            key = f"{name}, {measure.name}"
            self._left_out[key] = LeftOut(key, str(reason))
            return None

    def _clip_intervals(self, clip: ClipShard) -> dict[str, Interval]:
        scores = {measure.name: self._score_clip(measure, clip) for measure in self._measures}
        return {name: interval for name, interval in scores.items() if interval is not None}

    def _score_clip(self, measure: Measure, clip: ClipShard) -> Interval | None:
        """Score one clip, once: every comparison of its method asks again."""
        key = clip.row.setting, clip.row.id, clip.row.method, measure.name
        if key not in self._clip_scores:
            self._clip_scores[key] = self._interval(measure, [clip], f"{clip.row.id} of {clip.row.method}", 0)
        return self._clip_scores[key]

    def _compare_setting(self, setting: str, clips: Sequence[ClipShard]) -> list[Difference]:
        by_method = {
            method: {c.row.id: c for c in clips if c.row.setting == setting and c.row.method == method}
            for method in ordered_methods(clips)
        }
        methods = [method for method in by_method if method not in BASELINES]
        pairs = [*combinations(methods, 2), *((method, COPY) for method in methods if COPY in by_method)]
        return [
            difference
            for first, second in pairs
            for measure in self._measures
            if (difference := self._compare(setting, measure, (first, by_method[first]), (second, by_method[second])))
        ]

    def _compare(
        self,
        setting: str,
        measure: Measure,
        first: tuple[str, Mapping[str, ClipShard]],
        second: tuple[str, Mapping[str, ClipShard]],
    ) -> Difference | None:
        (name_a, a), (name_b, b) = first, second
        common = [k for k in a if k in b and all(measure.name in side[k].shard.states for side in (a, b))]
        if not common:
            return None
        sides = [[clips[k] for k in common] for clips in (a, b)]
        states = [self._states(side, measure) for side in sides]
        try:
            interval = difference_interval(measure, states[0], states[1], np.random.default_rng(SEED), self._draws)
        except MeasureSkippedError:  # `summarize` lists the undefined score of the method itself
            return None
        return Difference(setting, name_a, name_b, measure.name, interval, self._count_better(measure, *sides))

    def _count_better(self, measure: Measure, first: Sequence[ClipShard], second: Sequence[ClipShard]) -> int | None:
        if measure.higher_is_better is None:
            return None
        sign = 1 if measure.higher_is_better else -1
        count = 0
        for a, b in zip(first, second, strict=True):
            scores = self._score_clip(measure, a), self._score_clip(measure, b)
            count += scores[0] is not None and scores[1] is not None and sign * (scores[0].value - scores[1].value) > 0
        return count

    def _states(self, clips: Sequence[ClipShard], measure: Measure) -> ClipStates:
        """The states of the clips that have one, and of their real videos, each once."""
        clips = [clip for clip in clips if measure.name in clip.shard.states]
        states, sources = [clip.shard.states[measure.name] for clip in clips], [clip.row.source for clip in clips]
        if not measure.uses_pool:
            return ClipStates(states, sources=sources)
        videos = [real_videos(clip.row, self._default_pools) for clip in clips]
        pool = {
            video: self._pools[video].states[measure.name]
            for video in sorted({video for names in videos for video in names})
            if video in self._pools and measure.name in self._pools[video].states
        }
        users = np.array([[video in names for names in videos] for video in pool], bool)
        return ClipStates(states, list(pool.values()), users, sources)


def real_videos(row: EvaluationRow, default_pools: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the real videos of a row: those that it names, else those of its speaker."""
    return row.real or default_pools.get(row.speaker, ())


def speaker_pools(rows: Iterable[EvaluationRow]) -> dict[str, tuple[str, ...]]:
    """Return the real videos of each speaker in a manifest: sources, and references of intra-id clips."""
    pools: dict[str, dict[str, None]] = {}
    for row in rows:
        pool = pools.setdefault(row.speaker, {})
        pool[row.source] = None
        if row.reference is not None and row.setting == SETTINGS[0]:
            pool[row.reference] = None
    return {speaker: tuple(pool) for speaker, pool in pools.items()}


def ordered_methods(clips: Iterable[ClipShard]) -> list[str]:
    """Return the methods, the baselines first and the others in the order of the clips."""
    methods = dict.fromkeys(clip.row.method for clip in clips)
    return [*(name for name in BASELINES if name in methods), *(name for name in methods if name not in BASELINES)]


def _average(intervals: Sequence[Interval]) -> Interval | None:
    if not intervals:
        return None
    value = float(np.mean([interval.value for interval in intervals]))
    clips, frames = (sum(getattr(interval, name) for interval in intervals) for name in ("clips", "frames"))
    return Interval(value, float("nan"), float("nan"), clips, frames, {})
