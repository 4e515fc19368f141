"""Synthetic people for ICface: clips with changing emotions, and the same words with two emotions as truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.renderers.icface.controls import middle_lip_gap, motion_controls
from asccl.renderers.icface.crop import face_crop_matrices
from asccl.renderers.neural.head_crop import CROP_SIDE_CM
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import FRAME_SIDE, sample_emotion_pair
from asccl.synthetic.emotions import apply_emotion, sample_style
from asccl.synthetic.head_renderer import HeadRenderer
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import talking_track
from asccl.types import EMOTIONS, Motion
from training.datasets.controlled_clips import ArrayClip, ControlledFrames
from training.datasets.driven_clips import EDIT, REENACTMENT, DrivenClip
from training.datasets.synthetic_portraits import EMOTION_FRAMES, camera_of_crop, sample_emotions, sample_rotations
from training.preprocess.workers import run_in_processes

CLIP_FRAMES = EMOTION_FRAMES * len(EMOTIONS)  # of the motion of a person; some of them become images


class ControlledSpeaker:
    """A synthetic person before a camera, in the crops that ICface reads.

    Args:
        rng: samples person, camera and head motion.
        frames: T.
        size: side of a crop, pixels.
        head: head model.
    """

    def __init__(self, rng: np.random.Generator, frames: int, size: int, head: AnnyHead):
        self.size, self.head = size, head
        self._renderer = HeadRenderer(SyntheticPerson.sample(rng, head), head, size / CROP_SIDE_CM)
        camera = Camera.sample(rng, FRAME_SIDE)
        self.cameras = [replace(camera, rotation=r @ camera.rotation) for r in sample_rotations(rng, frames)]

    def render(self, coefficients: np.ndarray, indices: Sequence[int], pose_limit: float) -> ControlledFrames:
        """Render frames with their true controls.

        Args:
            coefficients: (T, 52).
            indices: n of the T frames.
            pose_limit: rotation whose control is 1, radians.

        Returns:
            The n frames.
        """
        motion = self._motion(coefficients)
        crop_matrices = face_crop_matrices(motion, self.size)
        gaps = [self._lip_gap(coefficients[t], t) for t in indices]
        controls = motion_controls(motion.select(np.array(indices)), self.head.names, np.array(gaps), pose_limit)
        images, landmarks = [], []
        for t in indices:
            view = camera_of_crop(self.cameras[t], crop_matrices[t], self.size)
            images.append(self._renderer.render(coefficients[t], view))
            landmarks.append(self._renderer.landmarks(coefficients[t], view))
        return ControlledFrames(np.stack(images), controls, np.stack(landmarks).astype(np.float32))

    def _landmarks_on_head(self, coefficients: np.ndarray) -> np.ndarray:
        """(52,) -> (468, 3) cm."""
        return self.head.landmarks_on(self._renderer.vertices(coefficients))

    def _lip_gap(self, coefficients: np.ndarray, t: int) -> float:
        """Gap of the lips in frame t, cm."""
        rotation = self.cameras[t].rotation
        return middle_lip_gap(self._landmarks_on_head(coefficients) @ rotation.T, 1.0, rotation)

    def _motion(self, coefficients: np.ndarray) -> Motion:
        """Motion (T frames) of the head before cameras without perspective, as a tracker fits it."""
        camera, frames = self.cameras[0], len(coefficients)
        translation = np.append(camera.matrix[:, 2], 0)
        return Motion(
            coefficients=coefficients,
            scale=np.full(frames, camera.pixels_per_cm),
            rotation=np.stack([camera.rotation for camera in self.cameras]),
            translation=np.repeat(translation[None], frames, 0),
            identity=self._landmarks_on_head(np.zeros_like(coefficients[0])),
            weight=np.ones(frames, np.float32),
        )


@lru_cache(maxsize=8)
def synthetic_clips(
    seed: int, people: int, frames: int, size: int, pose_limit: float, edits: bool = False, jobs: int = 0
) -> tuple[ArrayClip, ...]:
    """Render people who talk with the seven emotions; the same arguments give the same pixels.

    Args:
        seed: of the people.
        people: number of clips, each of another person.
        frames: of a clip, in random order of time.
        size: side of a frame, pixels.
        pose_limit: rotation whose control is 1, radians.
        edits: render every frame with another emotion, too, see `ArrayClip.edits`.
        jobs: processes that render; 0 renders in this one. The pixels are the same.
    """
    render = partial(synthetic_clip, seed, frames=frames, size=size, pose_limit=pose_limit, edits=edits)
    if not jobs:
        return tuple(render(number) for number in range(people))
    clips: dict[int, ArrayClip] = {}
    for number, clip, error in run_in_processes(render, range(people), jobs):
        if clip is None:
            raise error or RuntimeError(f"person {number} was not rendered")
        clips[number] = clip
    return tuple(clips[number] for number in range(people))


def synthetic_clip(seed: int, number: int, *, frames: int, size: int, pose_limit: float, edits: bool) -> ArrayClip:
    """Render one of the people of `synthetic_clips`.

    Args:
        seed: of the people.
        number: of the person among those of the seed.
        frames: see `synthetic_clips`, as the other arguments.
        size: likewise.
        pose_limit: likewise.
        edits: likewise.
    """
    head = load_anny_head()
    rng = np.random.default_rng((seed, number, 11))
    speaker = ControlledSpeaker(rng, CLIP_FRAMES, size, head)
    speech = talking_track(rng, CLIP_FRAMES, head)
    coefficients = sample_emotions(rng, speech, head)
    indices = sorted(rng.choice(CLIP_FRAMES, frames, replace=False).tolist())
    content = speaker.render(coefficients, indices, pose_limit)
    if edits:
        edited = speaker.render(sample_emotions(rng, speech, head), indices, pose_limit)
        content = ControlledFrames(*(np.concatenate(parts) for parts in zip(content, edited, strict=True)))
    name = f"synthetic {seed}-{number}"
    return ArrayClip(content, name, name, edits)


@lru_cache(maxsize=8)
def synthetic_driven_clips(seed: int, people: int, frames: int, size: int, pose_limit: float) -> tuple[DrivenClip, ...]:
    """Render people who say the same words with two emotions, and both settings of each.

    Args:
        seed: of the people.
        people: number of people.
        frames: T of a clip.
        size: side of a frame, pixels.
        pose_limit: rotation whose control is 1, radians.

    Returns:
        Two clips of each person, in the order of `DRIVEN_SETTINGS`.
    """
    head, clips = load_anny_head(), []
    for number in range(people):
        rng = np.random.default_rng((seed, number, 13))
        speaker = ControlledSpeaker(rng, frames, size, head)
        speech = talking_track(rng, frames, head)
        emotions = sample_emotion_pair(rng)
        source, truth = (
            speaker.render(apply_emotion(speech, sample_style(rng, EMOTIONS[e], head), head), range(frames), pose_limit)
            for e in emotions
        )
        still = ControlledFrames(*(np.repeat(part[:1], frames, 0) for part in source))
        clips += [DrivenClip(s, truth, emotions[1], name) for s, name in ((source, EDIT), (still, REENACTMENT))]
    return tuple(clips)
