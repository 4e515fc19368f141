"""The seven emotions as made-up people act them, in ARKit units at intensity 1.

Apart from the presets of `asccl.morphable.emotions`, which are tuned for edits of real faces: the bundled weights
learned from this table, and their recipes must go on making the same people.
"""

from __future__ import annotations

from asccl.types import EMOTIONS

# no unit is raised higher than this by an emotion: they carry the lips furthest from the words
BOUNDS = {"mouthSmile": 0.5, "mouthFrown": 0.7, "mouthPress": 0.3, "mouthDimple": 0.35, "mouthStretch": 0.6}
SYNTHETIC_EMOTION_UNITS: dict[str, dict[str, float]] = {
    "neutral": {},
    "angry": {"browDown": 0.8, "eyeSquint": 0.6, "noseSneer": 0.65, "mouthFrown": 0.3, "mouthUpperUp": 0.7,
              "mouthLowerDown": 0.25, "mouthPress": 0.14},
    "disgusted": {"noseSneer": 0.95, "mouthUpperUp": 1.1, "eyeSquint": 0.6, "cheekSquint": 0.3, "browDown": 0.2,
                  "mouthFrown": 0.1, "mouthShrugUpper": 0.15},
    "fear": {"browInnerUp": 1.55, "browOuterUp": 0.35, "browDown": 0.35, "eyeWide": 1.5, "mouthStretch": 0.5,
             "mouthFrown": 0.3, "mouthLowerDown": 0.5, "noseSneer": 0.1},
    "happy": {"mouthSmile": 0.42, "cheekSquint": 0.6, "eyeSquint": 0.4, "mouthUpperUp": 0.4, "mouthDimple": 0.1},
    "sad": {"browInnerUp": 1.4, "mouthFrown": 0.65, "eyeSquint": 0.25, "eyeBlink": 0.2, "mouthShrugLower": 0.45},
    "surprised": {"browInnerUp": 1.25, "browOuterUp": 1.1, "eyeWide": 1.4},
}  # fmt: skip
assert tuple(SYNTHETIC_EMOTION_UNITS) == EMOTIONS
