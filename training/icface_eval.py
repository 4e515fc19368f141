"""Evaluate ICface on people that it was not trained on: metrics against the truth, and a grid of sample images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel

from asccl.evaluation.edit_metrics import lip_distance
from asccl.evaluation.truth_metrics import lip_correlation, psnr
from asccl.face import mesh
from asccl.face.facemesh import FaceMesh, Window
from asccl.nets.icface import Icface
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from training.datasets.controlled_clips import ControlledFrames, to_tensor
from training.datasets.driven_clips import DrivenClip
from training.icface_guard import DivergenceGuard
from training.renderer_eval import save_enlarged, spread_indices

MAX_CLIPS = 12  # in an evaluation during a training
GRID_CLIPS, GRID_FRAMES = 4, 2
MIN_LIP_MOVEMENT = 0.01  # eye distances, standard deviation of the true lip opening
EYE_MARGIN = 0.25  # of the width of an eye, around it
BATCH_SIZE = 32

ReadControls = Callable[[torch.Tensor], torch.Tensor]  # (N, 3, S, S) RGB in [-1, 1] -> (N, 20)


@torch.inference_mode()
def drive(net: Icface, source: ControlledFrames, controls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Generate images in evaluation mode.

    Args:
        net: the networks.
        source: T frames.
        controls: (T, 20) of the images.

    Returns:
        The neutral and the generated images, (T, S, S, 3) uint8 RGB each.
    """
    device = next(net.parameters()).device
    images = to_tensor(source.images).to(device)
    own, driving = (torch.from_numpy(x).to(device) for x in (source.controls, controls))
    parts = zip(images.split(BATCH_SIZE), own.split(BATCH_SIZE), driving.split(BATCH_SIZE), strict=True)
    outputs = [net(*part) for part in parts]
    return to_images(torch.cat([neutral for neutral, _ in outputs])), to_images(torch.cat([x for _, x in outputs]))


def to_images(x: torch.Tensor) -> np.ndarray:
    """(N, 3, S, S) in [-1, 1] -> (N, S, S, 3) uint8."""
    return ((x + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()


def reader(discriminator: IcfaceDiscriminator) -> ReadControls:
    """Return the function that estimates controls by a discriminator."""

    @torch.inference_mode()
    def read(images: torch.Tensor) -> torch.Tensor:
        device = next(discriminator.parameters()).device
        return torch.cat([discriminator(part.to(device)).controls.cpu() for part in images.split(BATCH_SIZE)])

    return read


def detect_landmarks(face_mesh: FaceMesh, images: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Detect the landmarks of faces whose approximate place is known.

    Args:
        face_mesh: the detector.
        images: (T, S, S, 3) uint8 RGB.
        landmarks: (T, 468, 2) true landmarks.

    Returns:
        (T, 468, 2) pixels, NaN where no face is detected.
    """
    window, missing = Window.around(landmarks.mean(0)), np.full((mesh.NUM_FACE_LANDMARKS, 2), np.nan)
    detections = (face_mesh.detect(image, window)[0] for image in images)
    return np.stack([missing if points is None else points[: mesh.NUM_FACE_LANDMARKS, :2] for points in detections])


def eye_detail(images: np.ndarray, landmarks: np.ndarray) -> float:
    """Standard deviation of the Laplacian around the eyes, in levels of 255.

    Blur and a haze over the image both lower it: 10 % of an even colour over the eyes take 10 % of it.

    Args:
        images: (T, S, S, 3) uint8 RGB.
        landmarks: (T, 468 or more, 2) pixels.
    """
    values = []
    for image, points in zip(images, landmarks, strict=True):
        laplacian = cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F)
        for eye in mesh.EYES:
            low, high = points[list(eye)].min(0), points[list(eye)].max(0)
            margin = EYE_MARGIN * (high - low)[0]
            x, y = np.clip(np.stack([low - margin, high + margin + 1], 1), 0, image.shape[0]).astype(int)
            values.append(laplacian[slice(*y), slice(*x)].std())
    return float(np.mean(values))


def measure_clip(
    generated: np.ndarray, clip: DrivenClip, read_controls: ReadControls, face_mesh: FaceMesh | None
) -> dict[str, float]:
    """Compare generated images with the truth.

    Args:
        generated: (T, S, S, 3) uint8 RGB.
        clip: source and truth.
        read_controls: estimates controls.
        face_mesh: detects landmarks; None leaves out "mouth" and "lips".

    Returns:
        "psnr" in dB; "attributes", mean distance of the controls that are read from the images to the true ones;
        "eyes", the detail around the eyes in percent of that in the true images, see `eye_detail`, NaN where they have
        none;
        "mouth", correlation of the detected lip opening with the true one, 0 for lips that rest and NaN where the true
        ones rest; "lips", mean distance of the lip landmarks to the true ones in percent of the eye distance, NaN where
        no face is detected.
    """
    controls = read_controls(to_tensor(generated)).numpy()
    true_detail = eye_detail(clip.truth.images, clip.truth.landmarks)
    values = {
        "psnr": psnr(generated, clip.truth.images),
        "attributes": float(np.abs(controls - clip.truth.controls).mean()),
        "eyes": 100 * eye_detail(generated, clip.truth.landmarks) / (true_detail or float("nan")),
    }
    if face_mesh is None:
        return values
    points, truth = detect_landmarks(face_mesh, generated, clip.truth.landmarks), clip.truth.landmarks
    distances = [lip_distance(b, a) for a, b in zip(points, truth, strict=True) if np.isfinite(a).all()]
    return values | {
        "mouth": lip_correlation(mesh.lip_gap(points), mesh.lip_gap(truth), MIN_LIP_MOVEMENT),
        "lips": float(np.mean(distances)) if distances else float("nan"),
    }


class IcfaceValidation:
    """Evaluate the averaged networks on held-out clips, and save a grid of samples. Call `close()`.

    Args:
        averaged: exponential moving average of neutralizer and animator.
        discriminator: reads the controls.
        clips: held-out clips; the first ones are in the grid.
        samples: folder of the grids.
    """

    def __init__(
        self, averaged: AveragedModel, discriminator: IcfaceDiscriminator, clips: Sequence[DrivenClip], samples: Path
    ):
        self.averaged, self.samples = averaged, samples
        self.clips = clips[:MAX_CLIPS]
        self.guard = DivergenceGuard()
        self.read_controls = reader(discriminator)
        self.face_mesh = FaceMesh() if find_spec("mediapipe") else None  # not on every machine with a GPU

    def close(self) -> None:
        """Release the face detector."""
        if self.face_mesh is not None:
            self.face_mesh.close()

    def __call__(self) -> dict[str, float]:
        """Return the means over the clips of each setting, as "setting/metric", those of copies of the sources too.

        Raises DivergedError, see `DivergenceGuard`.
        """
        values: dict[str, list[float]] = defaultdict(list)
        images = []
        for clip in self.clips:
            neutral, generated = drive(self.averaged.module, clip.source, clip.truth.controls)
            images.append((neutral, generated))
            for prefix, candidate in (("", generated), ("copy_", clip.source.images)):
                for name, value in measure_clip(candidate, clip, self.read_controls, self.face_mesh).items():
                    values[f"{clip.setting}/{prefix}{name}"].append(value)
        step = int(self.averaged.n_averaged)
        save_grid(self.samples / f"step-{step:08d}.png", self.clips, images)
        means = {name: float(np.nanmean(items)) for name, items in values.items() if not np.isnan(items).all()}
        self.guard.check(step, means, [generated for _, generated in images])
        return means


def save_grid(path: Path, clips: Sequence[DrivenClip], images: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    """Write a PNG with a row for some frames of each of the first clips: source, neutral, generated, truth.

    Args:
        path: the file.
        clips: the clips.
        images: neutral and generated images of each clip.
    """
    rows = []
    for clip, (neutral, generated) in zip(clips[:GRID_CLIPS], images, strict=False):
        for t in spread_indices(len(generated), GRID_FRAMES):
            rows.append(np.concatenate([clip.source.images[t], neutral[t], generated[t], clip.truth.images[t]], 1))
    save_enlarged(path, np.concatenate(rows), clips[0].truth.images.shape[1])
