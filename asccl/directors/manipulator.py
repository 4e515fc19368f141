"""Direct a face by NED's manipulator, stage 1: a network trained to translate expression sequences between emotions.

The network reads all coefficients of the face. Which of them may change is decided by the project's rules for speech,
blinks and gaze, as for the presets. The change that the network makes when it is given the face's own style is
subtracted, in proportion to how much of that style is kept, so that an edit of intensity 0 changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from asccl.directors.base import Target, emotion_weights
from asccl.directors.preset import MAX_COEFFICIENT, frame_lip_gain
from asccl.morphable.emotions import PRESETS, variant_factors
from asccl.morphable.groups import add_groups, group_change
from asccl.morphable.head import HeadModel
from asccl.morphable.speech import protect_speech
from asccl.nets.ned_manipulator import Manipulator, encode_style, translate_expression
from asccl.types import EMOTIONS, Motion


class ManipulatorDirector:
    """Direct a face to the mean style of an emotion, to the style of a reference, or half way between the two.

    Args:
        head: gives the names of the 52 units.
        net: manipulator of these units.
    """

    def __init__(self, head: HeadModel, net: Manipulator):
        self.names, self.net = head.names, net

    def __call__(self, motion: Motion, target: Target) -> Motion:
        """See `Director`.

        Up to intensity 1 the style moves from the face's own to the target style; above 1 the change is multiplied.
        Where the intensity changes over time, the change of its largest value is scaled in proportion.
        """
        strongest = float(np.max(target.intensity))
        share, gain = min(strongest, 1.0), max(strongest, 1.0)
        over_time = np.asarray(target.intensity / strongest if strongest > 0 else 0.0)[..., None]
        change = self._change(motion, self.style(target), share) * gain * variant_factors(target.seed, self.names)
        if not target.groups.is_zero:
            group_intensity = np.asarray(target.group_intensity)[..., None]
            groups = group_change(target.groups, self.names)
            change = add_groups(over_time * change, motion.coefficients, groups, group_intensity)
        else:
            change = over_time * change
        change = protect_speech(change, motion, self.names)
        amount = np.where(over_time > 0, motion.weight[:, None], 0)
        coefficients = motion.coefficients
        edited = np.where(amount > 0, np.clip(coefficients + amount * change, 0, MAX_COEFFICIENT), coefficients)
        lip_gain = sum(w * PRESETS[e].lip_gain for w, e in zip(emotion_weights(target), EMOTIONS, strict=True))
        gains = frame_lip_gain(motion, target, float(lip_gain))
        return replace(motion, coefficients=edited.astype(np.float32), lip_gain=gains)

    def style(self, target: Target) -> torch.Tensor:
        """Style vector of a target, (style,)."""
        styles = []
        if target.emotion is not None:
            weights = torch.tensor(emotion_weights(target), dtype=self.net.mean_style.dtype)
            styles.append(weights.to(self.net.mean_style.device) @ self.net.mean_style)
        if target.reference is not None:
            coefficients = target.reference.coefficients
            styles.append(self._encode(target.reference.mean[None] if coefficients is None else coefficients))
        return torch.stack(styles).mean(0)

    def _change(self, motion: Motion, target_style: torch.Tensor, share: float) -> np.ndarray:
        """Change of the coefficients, (T, 52), to a style at a share of the way from the face's own to the target's."""
        x = self._tensor(motion.coefficients)
        editable = motion.weight > 0
        own = self._encode(motion.coefficients[editable] if editable.any() else motion.coefficients)
        before, after = (
            translate_expression(self.net.generator, x, own + k * (target_style - own)) - x for k in (0.0, share)
        )
        return (after - (1 - share) * before).cpu().numpy()

    def _encode(self, coefficients: np.ndarray) -> torch.Tensor:
        return encode_style(self.net.style_encoder, self._tensor(coefficients))

    def _tensor(self, coefficients: np.ndarray) -> torch.Tensor:
        return torch.tensor(coefficients, dtype=torch.float32, device=self.net.mean_style.device)
