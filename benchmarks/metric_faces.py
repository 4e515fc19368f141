"""Faces of the published four-panel clips and of our edits of their sources, for `benchmarks.metric`.

A clip shows four panels side by side, as the paper's authors publish them: source | reference | NED | ASCCL.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from asccl import Editor, EditRequest
from asccl.face.crop import arcface_crop
from asccl.face.landmarker import FaceLandmarker
from asccl.face.mesh import lip_gap
from asccl.files import write_atomic
from asccl.metric.scc import Disparities, SCCMetric
from asccl.types import Image
from asccl.video import Limits, Reader
from asccl.video.container import open_output

PANELS = 4
SAMPLES = 100  # regions of each feature map
BATCH = 8  # frames
Faces = dict[str, "FaceSequence"]  # "source", "ned", "asccl" and one for each emotion


@dataclass(frozen=True)
class FaceSequence:
    """One face of a clip.

    Attributes:
        crops: ArcFace crops, (T, 112, 112, 3) uint8 RGB.
        lip_gaps: opening of the lips in eye distances, (T,), NaN where no face was detected.
    """

    crops: np.ndarray
    lip_gaps: np.ndarray

    def disparities(self, metric: SCCMetric) -> list[Disparities]:
        """Compute the visual disparities of all frames, one entry for each feature map."""
        batches: list[list[Disparities]] = []
        with torch.inference_mode():
            for start in range(0, len(self.crops), BATCH):
                x = torch.from_numpy(self.crops[start : start + BATCH]).permute(0, 3, 1, 2).float() / 127.5 - 1
                maps = metric.feature_maps(x)
                batches.append(metric.disparities(maps, metric.sample_pairs(maps, SAMPLES)))
        return [
            parts[0]._replace(values=torch.cat([part.values for part in parts])) for parts in zip(*batches, strict=True)
        ]


def read_face(images: Sequence[Image], landmarker: FaceLandmarker) -> FaceSequence:
    """Detect the face of a clip."""
    crops, lip_gaps, previous = [], [], None
    for image in images:
        landmarks = landmarker.detect(image, previous)
        if landmarks is None:
            crops.append(np.zeros((112, 112, 3), np.uint8))
            lip_gaps.append(np.nan)
        else:
            crops.append(arcface_crop(image, landmarks))
            lip_gaps.append(float(lip_gap(landmarks)))
            previous = landmarks
    return FaceSequence(np.stack(crops), np.array(lip_gaps))


def read_frames(path: Path, limit: int) -> list[Image]:
    """Read at most `limit` frames whose first panel is not black."""
    with Reader(path, Limits()) as reader:
        return [frame.image for frame in reader if frame.image[:, : frame.image.shape[1] // PANELS].mean() > 8][:limit]


def write_video(path: Path, images: Sequence[Image]) -> None:
    """Write H.264 of high quality at 30 frames a second."""
    with open_output(path, "mp4", {}) as file:
        stream = file.add_stream("libx264", rate=Fraction(30), options={"crf": "6"})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())


def read_clip(
    path: Path, limit: int, emotions: Sequence[str], editor: Editor, landmarker: FaceLandmarker
) -> dict[str, FaceSequence]:
    """Read the panels of a published clip, and edit its source.

    Args:
        path: the video.
        limit: number of frames.
        emotions: of the edits.
        editor: makes the edits.
        landmarker: detects the faces.

    Returns:
        The faces "source", "ned", "asccl" and one for each emotion.
    """
    frames = read_frames(path, limit)
    width = frames[0].shape[1] // PANELS
    panels = [[np.ascontiguousarray(f[:, k * width : (k + 1) * width]) for f in frames] for k in range(PANELS)]
    faces = {name: read_face(panels[k], landmarker) for name, k in (("source", 0), ("ned", 2), ("asccl", 3))}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.mp4"
        write_video(source, panels[0])
        for emotion in emotions:
            request = EditRequest(source, Path(folder) / f"{emotion}.mp4", emotion=emotion, adapt=False)
            result = editor.edit(request)
            faces[emotion] = read_face(read_frames(result.output, limit), landmarker)
    return faces


def read_clips(folder: Path, limit: int, emotions: Sequence[str], cache: Path | None) -> list[Faces]:
    """Read and edit all clips of a folder.

    Args:
        folder: of published videos.
        limit: number of frames of each clip, at most.
        emotions: of the edits.
        cache: folder that keeps the faces for another run; delete it when the editor changes. None keeps nothing.
    """
    editor, landmarker, clips = Editor(), FaceLandmarker(), []
    for path in sorted(folder.rglob("*.mp4")):
        file = cache / f"{path.stem}-{limit}-{'-'.join(emotions)}.npz" if cache else None
        if file and file.exists():
            clips.append(load_faces(file))
            continue
        clips.append(read_clip(path, limit, emotions, editor, landmarker))
        if file:
            save_faces(file, clips[-1])
    return clips


def save_faces(file: Path, faces: Faces) -> None:
    """Write the faces of a clip as an NPZ file."""
    arrays = {f"{name}/{field}": value for name, face in faces.items() for field, value in vars(face).items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomic(file, buffer.getvalue())


def load_faces(file: Path) -> Faces:
    """Read a file that `save_faces` wrote."""
    with np.load(file) as arrays:
        names = dict.fromkeys(key.split("/")[0] for key in arrays.files)
        return {name: FaceSequence(arrays[f"{name}/crops"], arrays[f"{name}/lip_gaps"]) for name in names}
