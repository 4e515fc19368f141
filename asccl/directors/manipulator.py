"""NED's first stage as a director: a network that was taught sequences says how the face moves with another emotion.

The network sees everything the face does; what it may change is decided by the project's rules for speech, blinks and
gaze, as for the presets. What it would change of a face in the face's own style is left out in the measure in which
that style is kept, so that an edit begins at nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from asccl.directors.base import Target
from asccl.directors.preset import CEILING
from asccl.directors.reference import emotion_shares
from asccl.morphable.emotions import PRESETS, variant_factors
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import protect_speech
from asccl.nets.ned_manipulator import Manipulator, encode_style, translate
from asccl.types import EMOTIONS, Motion


class ManipulatorDirector:
    """Moves a face to an emotion (its mean style), to the style of a reference, or half way between the two where both
    are given. net: of the head's 52 units."""

    def __init__(self, head: HeadModel, net: Manipulator):
        self.names, self.net = head.names, net

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """See `Director`. Up to intensity 1 the style goes from the face's own to the wanted one; from there on the
        change grows."""
        share, beyond = min(target.intensity, 1.0), max(target.intensity, 1.0)
        change = self._change(motion, self.style(target), share) * beyond * variant_factors(target.seed, self.names)
        change = protect_speech(change, motion, self.names)
        amount = (motion.weight if target.intensity > 0 else 0 * motion.weight)[:, None]
        w = motion.coefficients
        new = np.where(amount > 0, np.clip(w + amount * change, 0, CEILING), w)
        shares = emotion_shares(target)
        lips = sum(s * PRESETS[e].lip_gain for s, e in zip(shares, EMOTIONS, strict=True))
        gain = 1 + target.intensity * motion.weight * (lips - 1)
        return replace(motion, coefficients=new.astype(np.float32), lip_gain=gain.astype(np.float32))

    def style(self, target: Target) -> torch.Tensor:
        """(style,) that a target asks for."""
        wanted = []
        if target.emotion is not None:
            wanted.append(self.net.mean_style[EMOTIONS.index(target.emotion)])
        if target.reference is not None:
            shown = target.reference.coefficients
            wanted.append(self._style_of(target.reference.mean[None] if shown is None else shown))
        return torch.stack(wanted).mean(0)

    def _change(self, motion: Motion, wanted: torch.Tensor, share: float) -> np.ndarray:
        """(T, 52) from the face's own style to one that is a share of the way to the wanted one."""
        x = self._tensor(motion.coefficients)
        seen = motion.weight > 0
        own = self._style_of(motion.coefficients[seen] if seen.any() else motion.coefficients)
        before, after = (translate(self.net.generator, x, own + k * (wanted - own)) - x for k in (0.0, share))
        return (after - (1 - share) * before).cpu().numpy()

    def _style_of(self, coefficients: np.ndarray) -> torch.Tensor:
        return encode_style(self.net.style_encoder, self._tensor(coefficients))

    def _tensor(self, coefficients: np.ndarray) -> torch.Tensor:
        return torch.tensor(coefficients, dtype=torch.float32, device=self.net.mean_style.device)
