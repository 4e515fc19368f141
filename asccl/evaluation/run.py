"""Evaluate the rows of a manifest in this process: measure what has no shard yet, then summarize all shards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asccl.errors import AscclError, CancelledError, OutputError
from asccl.evaluation.baselines import BASELINES
from asccl.evaluation.face_stream import FaceStreams
from asccl.evaluation.manifest import EvaluationRow, LeftOut
from asccl.evaluation.measure import Measure
from asccl.evaluation.scores import ClipShard
from asccl.evaluation.shards import Shard, ShardStore, compute_clip, compute_pool, read_shard, write_shard
from asccl.evaluation.summary import real_videos, speaker_pools
from asccl.progress import Progress


@dataclass(frozen=True)
class EvaluatedRows:
    """Shards of the rows that could be measured.

    Attributes:
        clips: in the order of the rows.
        pools: real video -> shard.
        left_out: clips and real videos that could not be measured.
    """

    clips: Sequence[ClipShard]
    pools: Mapping[str, Shard]
    left_out: Sequence[LeftOut]


def add_baselines(rows: Iterable[EvaluationRow]) -> list[EvaluationRow]:
    """Return what can be measured, clip by clip: the baselines, then the rows with a generated video."""
    by_clip: dict[str, list[EvaluationRow]] = {}
    for row in rows:
        by_clip.setdefault(row.id, []).append(row)
    result = []
    for clip_rows in by_clip.values():
        result += [replace(clip_rows[0], method=method, generated=None, offset=0) for method in BASELINES]
        result += [row for row in clip_rows if row.generated is not None]
    return result


def pool_videos(rows: Sequence[EvaluationRow], measures: Sequence[Measure]) -> list[str]:
    """Return the real videos of all rows, each once; none where no measure uses them."""
    if not any(measure.uses_pool for measure in measures):
        return []
    default_pools = speaker_pools(rows)
    return list(dict.fromkeys(video for row in rows for video in real_videos(row, default_pools)))


def measure_clip(row: EvaluationRow, measures: Sequence[Measure], store: ShardStore, streams: FaceStreams) -> Shard:
    """Return the shard of a clip; what it lacks is computed and kept.

    Args:
        row: with a generated video, or of a baseline.
        measures: of the store.
        store: of the shards.
        streams: keeps what was computed of the source and the reference for other clips and methods.

    Raises:
        AscclError: a video cannot be used, or the shard cannot be written.
    """

    def compute(missing: Sequence[Measure]) -> Shard:
        try:
            return compute_clip(row, missing, streams)
        finally:
            streams.discard_unfinished()
            if row.generated is not None:
                streams.discard(row.generated)

    return _complete_shard(store.clip_path(row), measures, compute)


def measure_pool(video: str, measures: Sequence[Measure], store: ShardStore, streams: FaceStreams) -> Shard:
    """Return the shard of a real video; what it lacks is computed and kept.

    Args:
        video: its path, or `path#k`.
        measures: of the store.
        store: of the shards.
        streams: keeps what was computed of the video for the clips that use it.

    Raises:
        AscclError: the video cannot be used, or the shard cannot be written.
    """

    def compute(missing: Sequence[Measure]) -> Shard:
        try:
            return compute_pool(video, missing, streams)
        finally:
            streams.discard_unfinished()

    return _complete_shard(store.pool_path(video), [measure for measure in measures if measure.uses_pool], compute)


def _complete_shard(path: Path, measures: Sequence[Measure], compute: Callable[[Sequence[Measure]], Shard]) -> Shard:
    """Return the shard of a file with all measures; those that it lacks are computed and kept."""
    shard = read_shard(path)
    missing = list(measures) if shard is None else shard.missing(measures)
    if shard is None or missing:
        computed = compute(missing)
        shard = computed if shard is None else shard.extended(computed)
        write_shard(path, shard)
    return shard


def evaluate_rows(
    rows: Sequence[EvaluationRow],
    measures: Sequence[Measure],
    store: ShardStore,
    streams: FaceStreams,
    progress: Progress,
) -> EvaluatedRows:
    """Measure rows one after the other; a clip that cannot be measured is left out.

    Args:
        rows: see `add_baselines`.
        measures: of the store.
        store: of the shards.
        streams: opens the videos.
        progress: receives the stages "real" and "clips".

    Raises:
        OutputError: a shard cannot be written.
        CancelledError: the progress was cancelled.
    """
    left_out: list[LeftOut] = []
    videos, pools, clips = pool_videos(rows, measures), {}, []
    for number, video in enumerate(videos):
        progress("real", number / len(videos))
        try:
            pools[video] = measure_pool(video, measures, store, streams)
        except (OutputError, CancelledError):
            raise
        except Exception as error:  # it belongs to this video: it is reported, and the others continue
            left_out.append(LeftOut(f"real video {video}", describe_error(error)))
    for number, row in enumerate(rows):
        progress("clips", number / len(rows))
        try:
            clips.append(ClipShard(row, measure_clip(row, measures, store, streams)))
        except (OutputError, CancelledError):
            raise
        except Exception as error:  # it belongs to this clip: it is reported, and the others continue
            left_out.append(LeftOut(f"{row.id} of {row.method}", describe_error(error)))
    progress("done", 1.0)
    return EvaluatedRows(clips, pools, left_out)


def describe_error(error: BaseException) -> str:
    """Describe an error in one line."""
    text = str(error) if isinstance(error, AscclError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())
