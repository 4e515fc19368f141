"""Distances of SyncNet's embeddings of lips and sound, for each shift of the sound, by the protocols of `lip_sync`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asccl.evaluation.cepstra import STEPS_PER_FRAME, cepstra
from asccl.evaluation.face_chunk import FaceChunk
from asccl.evaluation.feature_store import FeatureStore
from asccl.evaluation.lip_crops import GroupCropper, LipCropper, LipFrame, RateConverter, TrackedCropper, lip_frames
from asccl.evaluation.measure import MeasureSkippedError
from asccl.evaluation.sound import Sound

if TYPE_CHECKING:
    from asccl.nets.syncnet import SyncNet

WINDOW = 5  # frames of one embedding
BATCH_SIZE = 8  # windows
EPS = 1e-6  # added to every difference, as torch.nn.functional.pairwise_distance does
MIN_WINDOWS = 2


@dataclass(frozen=True)
class SyncProtocol:
    """How pictures and sound are prepared.

    Attributes:
        name: in the names of the measures.
        frame_rate: to which frames are converted.
        as_floats: whether the sound is divided by 32768.
        max_shift: frames by which the sound is moved in both directions.
        create_cropper: makes the cropper of a stream.
        square_only: whether frames must be square crops of a face.
    """

    name: str
    frame_rate: Fraction
    as_floats: bool
    max_shift: int
    create_cropper: Callable[[], LipCropper]
    square_only: bool


GROUP = SyncProtocol("group", Fraction(30), True, 10, GroupCropper, True)
STANDARD = SyncProtocol("standard", Fraction(25), False, 15, TrackedCropper, False)


class SyncScore(NamedTuple):
    """LSE-D (smallest mean distance over the shifts), LSE-C (median minus smallest), and the shift in frames."""

    distance: float
    confidence: float
    shift: int


def sync_score(mean_distances: np.ndarray) -> SyncScore:
    """Compute the score from the mean distance of each shift, (2 max_shift + 1,)."""
    best = int(np.argmin(mean_distances))
    smallest = float(mean_distances[best])
    return SyncScore(smallest, float(np.median(mean_distances)) - smallest, len(mean_distances) // 2 - best)


class SoundEmbeddings:
    """Embeddings of the windows of a sound, computed in order; only recent ones are kept.

    Args:
        net: SyncNet.
        columns: cepstra (N, 13).
    """

    def __init__(self, net: SyncNet, columns: np.ndarray):
        self._net, self._columns = net, columns
        self.windows = max(len(columns) // STEPS_PER_FRAME - WINDOW, 0)
        self._first, self._rows = 0, np.zeros((0, 1), np.float32)

    def around(self, window: int, radius: int) -> np.ndarray:
        """Embeddings of windows `window - radius` to `window + radius`, (2 radius + 1, D); zeros beyond the ends."""
        while self._first + len(self._rows) < min(window + radius + 1, self.windows):
            self._extend(window - radius)
        low, high = max(window - radius, 0), min(window + radius + 1, self.windows)
        rows = self._rows[low - self._first : max(high - self._first, 0)]
        before = max(radius - window, 0)
        return np.pad(rows, ((before, 2 * radius + 1 - before - len(rows)), (0, 0)))

    def _extend(self, oldest: int) -> None:
        """Compute the next batch, and drop the windows before `oldest`."""
        import torch

        start = self._first + len(self._rows)
        stop = min(start + BATCH_SIZE, self.windows)
        length = STEPS_PER_FRAME * WINDOW
        parts = [self._columns[STEPS_PER_FRAME * w : STEPS_PER_FRAME * w + length].T for w in range(start, stop)]
        with torch.inference_mode():
            rows = self._net.sound(torch.from_numpy(np.stack(parts)[:, None])).numpy()
        drop = min(max(oldest - self._first, 0), len(self._rows))
        self._rows = np.concatenate([self._rows[drop:], rows]) if len(self._rows) else rows
        self._first += drop


class StreamDistances:
    """Sums over time of the distances of one stream of lips to one or several sounds, for each shift.

    Args:
        net: SyncNet.
        protocol: prepares the frames.
        sounds: each is compared with the same lips.
        frame_rate: of the stream.
    """

    def __init__(self, net: SyncNet, protocol: SyncProtocol, sounds: list[Sound], frame_rate: Fraction):
        self._net, self._protocol = net, protocol
        columns = [cepstra(sound, protocol.frame_rate, protocol.as_floats) for sound in sounds]
        self._sounds = [SoundEmbeddings(net, rows) for rows in columns]
        self._cropper = protocol.create_cropper()
        self._converter = RateConverter(float((frame_rate or protocol.frame_rate) / protocol.frame_rate))
        self._frames: list[LipFrame] = []  # those that the next windows need
        self._next_window = self._inputs = 0
        self.sums = np.zeros((len(sounds), 2 * protocol.max_shift + 1))
        self.windows = 0
        self._first_frame: int | None = None
        self._stored: FeatureStore | None = None
        self._end = ""  # of the names of stored features: the last crops depend on where the frames end

    def add(self, chunk: FaceChunk) -> None:
        """Add frames."""
        if self._first_frame is None:
            self._first_frame, self._stored = chunk.start, chunk.stored
        self._frames += lip_frames(self._cropper, self._converter, chunk, self._inputs)
        self._inputs += len(chunk)
        while len(self._frames) > BATCH_SIZE + WINDOW:  # SyncNet leaves out the last window that would fit
            self._process(BATCH_SIZE)

    def finish(self) -> list[SyncScore]:
        """Return the score of every sound. Raises MeasureSkippedError."""
        self._end = f" to {self._inputs}"
        self._frames += self._cropper.flush()
        while len(self._frames) > WINDOW:
            self._process(min(BATCH_SIZE, len(self._frames) - WINDOW))
        if self.windows < MIN_WINDOWS:
            raise MeasureSkippedError("the clip or its sound is too short for SyncNet")
        return [sync_score(row / self.windows) for row in self.sums]

    def _process(self, count: int) -> None:
        last_window = min(sound.windows for sound in self._sounds)
        windows = [
            (self._next_window + i, self._frames[i : i + WINDOW])
            for i in range(count)
            if self._next_window + i < last_window
        ]
        complete = [(number, frames) for number, frames in windows if all(frame is not None for frame in frames)]
        if complete:
            for (number, _), lip in zip(complete, self._embed_lips(complete), strict=True):
                for row, sound in enumerate(self._sounds):
                    near = sound.around(number, self._protocol.max_shift)
                    self.sums[row] += np.linalg.norm(lip - near + EPS, axis=1)
            self.windows += len(complete)
        del self._frames[:count]
        self._next_window += count

    def _embed_lips(self, windows: list[tuple[int, list[LipFrame]]]) -> np.ndarray:
        """Embeddings of numbered windows (n, D); those of a video that several clips use are computed once."""
        import torch

        def embed() -> np.ndarray:
            pictures = np.stack([np.stack([f for f in frames if f is not None]) for _, frames in windows])
            with torch.inference_mode():
                return self._net.lips(torch.from_numpy(pictures).permute(0, 4, 1, 2, 3).float()).numpy()

        if self._stored is None:
            return embed()
        numbers = [number for number, _ in windows]
        name = f"lips of {self._protocol.name} from frame {self._first_frame}{self._end}, windows {numbers}"
        return self._stored.compute(name, embed)
