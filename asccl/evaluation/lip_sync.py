"""LSE-D and LSE-C: distance and confidence of SyncNet's embeddings of lips and sound, by two protocols.

`group` is what the paper's group computes: 30 frames per second, the sound as floats, 35 pixels of a 256-pixel crop cut
off, shifts of up to 10 frames. `standard` is that of SyncNet and Wav2Lip: 25 frames per second, 16-bit sound, a tracked
crop, shifts of up to 15 frames. Their numbers cannot be compared with each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asccl.evaluation.cepstra import require_speech_features
from asccl.evaluation.imported import load_syncnet
from asccl.evaluation.measure import ClipMean, ClipPair, MeasureSkippedError, PairChunk, State, clip_state
from asccl.evaluation.networks import Networks
from asccl.evaluation.sync_distances import GROUP, STANDARD, StreamDistances, SyncProtocol, SyncScore

if TYPE_CHECKING:
    from asccl.nets.syncnet import SyncNet


class ClipDistances:
    """Distances of the generated lips to their sound and to other words, and of the real lips to their sound.

    Several measures share one: each chunk counts once.

    Args:
        clip: with sound.
        net: SyncNet.
        protocol: prepares the frames.
    """

    def __init__(self, clip: ClipPair, net: SyncNet, protocol: SyncProtocol):
        sound = clip.sound
        if sound is None:
            raise MeasureSkippedError("neither the clip nor its source has sound")
        self._protocol = protocol
        self._generated = StreamDistances(net, protocol, [sound, sound.rotated()], clip.frame_rate)
        source_sound = clip.source_sound or sound
        self._source = StreamDistances(net, protocol, [source_sound], clip.source.frame_rate)
        self._last: PairChunk | None = None
        self._scores: tuple[SyncScore, SyncScore, SyncScore] | None = None

    def add(self, chunk: PairChunk) -> None:
        """Add frames, once. Raises MeasureSkippedError."""
        if chunk is self._last:
            return
        height, width = chunk.generated.images[0].shape[:2]
        if self._protocol.square_only and height != width:
            raise MeasureSkippedError("its frames are not the square face crops that this protocol reads")
        self._last = chunk
        self._generated.add(chunk.generated)
        self._source.add(chunk.source)

    def scores(self) -> tuple[SyncScore, SyncScore, SyncScore]:
        """Return the scores of the generated clip, of the real clip and of other words. Raises MeasureSkippedError."""
        if self._scores is None:
            generated, floor = self._generated.finish()
            self._scores = generated, self._source.finish()[0], floor
        return self._scores

    @property
    def windows(self) -> int:
        """Number of windows of the generated clip."""
        return self._generated.windows


@dataclass(frozen=True)
class LipSync(ClipMean):
    """LSE-D or LSE-C. The extras are "ceiling", the real clip; "floor", other words; and "shift" in frames.

    Attributes:
        net: SyncNet.
        protocol: prepares the frames.
        quantity: "distance" or "confidence".
    """

    net: SyncNet
    protocol: SyncProtocol
    quantity: str

    def begin(self, clip: ClipPair, reference: State | None) -> _SyncSums:
        """See `Measure`."""
        shared = clip.share(f"lse-{self.protocol.name}", lambda: ClipDistances(clip, self.net, self.protocol))
        return _SyncSums(shared, self.quantity)


class _SyncSums:
    def __init__(self, distances: ClipDistances, quantity: str):
        self._distances, self._quantity = distances, quantity

    def add(self, chunk: PairChunk) -> None:
        self._distances.add(chunk)

    def finish(self) -> State:
        generated, ceiling, floor = self._distances.scores()
        values = [getattr(score, self._quantity) for score in (generated, ceiling, floor)]
        count = self._distances.windows
        return clip_state(values[0], count, ceiling=values[1], floor=values[2], shift=float(generated.shift))


def build_distance(name: str, networks: Networks) -> LipSync:
    """Build "lse-d-group" or "lse-d-standard". Raises WeightsError."""
    return _build(name, networks, "distance", higher_is_better=False)


def build_confidence(name: str, networks: Networks) -> LipSync:
    """Build "lse-c-group" or "lse-c-standard". Raises WeightsError."""
    return _build(name, networks, "confidence", higher_is_better=True)


def _build(name: str, networks: Networks, quantity: str, higher_is_better: bool) -> LipSync:
    protocol = GROUP if name.endswith(GROUP.name) else STANDARD
    net = load_syncnet(networks.files)
    require_speech_features()
    return LipSync(name, higher_is_better, net, protocol, quantity)
