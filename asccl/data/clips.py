"""Prepared clips, which `training.prepare` makes from videos: a folder with a manifest and a file of tensors per clip.

    folder/manifest.jsonl              one line per clip, see `asccl.data.manifest.ClipRecord`
    folder/clips/NAME.safetensors      tensors of a clip of T frames

| tensor | shape | content |
|---|---|---|
| pictures, picture_end | bytes, (T,) | JPEG files of the crops one after another, and where each one ends |
| coefficients, scale, rotation, translation, identity | (T, 52), (T,), (T, 3, 3), (T, 3), (468, 3) | as in `Motion` |
| presence, shot | (T,), (T,) | as in `Track` |
| times | (T,) | seconds |
| landmarks | (T, 478, 3) | pixels of the video, NaN without a face |
| crop | (T, 2, 3) | transform from pixels of the video to pixels of the crop |
| cepstra | (N, 13) | MFCC of the sound, N = 0 for a silent video |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from asccl.data.manifest import PREPARE_AGAIN, PREPARE_MISSING, ClipRecord, is_intact, read_manifest, units_digest
from asccl.data.pairing import HOP_SECONDS, Utterance, mouth_motion
from asccl.errors import InputError, UnreadableError
from asccl.face import mesh
from asccl.files import write_atomic
from asccl.types import Image, Motion

JPEG_QUALITY = 95
MAX_LISTED_FILES = 5  # file names in an error


def write_clip(path: Path, images: Iterable[Image | None], tensors: Mapping[str, np.ndarray]) -> tuple[int, str]:
    """Write a clip; the file appears complete or not at all, and equal input gives equal bytes.

    Args:
        path: file to write.
        images: crops (S, S, 3) uint8 RGB, None for a frame without one.
        tensors: all other tensors by name.

    Returns:
        Size and sha256 of the file.

    Raises:
        OutputError: the file cannot be written.
    """
    encoded = [b"" if image is None else _encode_jpeg(image) for image in images]
    arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    arrays["pictures"] = np.frombuffer(b"".join(encoded), np.uint8)
    arrays["picture_end"] = np.cumsum([len(part) for part in encoded], dtype=np.int64)
    data = save(arrays)
    write_atomic(path, data)
    return len(data), hashlib.sha256(data).hexdigest()


def _encode_jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


class PreparedClip:
    """A prepared clip that is read in parts. Reading raises UnreadableError if the file is damaged.

    Args:
        folder: a prepared folder.
        record: line of its manifest.
    """

    def __init__(self, folder: Path, record: ClipRecord):
        self.path, self.record = folder / record.file, record

    def __len__(self) -> int:
        return self.record.frames

    def check_shapes(self, units: int) -> None:
        """Raise InputError unless the tensors have the shapes that the manifest promises. units: of the head model."""
        frames = self.record.frames
        expected = {
            "coefficients": (frames, units),
            "landmarks": (frames, mesh.NUM_LANDMARKS, 3),
            "crop": (frames, 2, 3),
            "picture_end": (frames,),
        }
        with safe_open(self.path, framework="np") as file:
            names = set(file.keys())
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in expected if name in names}
        for name, shape in expected.items():
            if shapes.get(name) != shape:
                raise InputError(f"{self.path} has {name} of shape {shapes.get(name)}, not {shape}", PREPARE_AGAIN)

    def read(self, name: str, first: int = 0, last: int | None = None) -> np.ndarray:
        """Read rows first to last - 1 of a tensor, all rows by default.

        Args:
            name: of the tensor.
            first: first row.
            last: row after the last one; None for the end.

        Raises:
            UnreadableError: the file is missing or damaged.
        """
        try:
            with safe_open(self.path, framework="np") as file:
                return file.get_tensor(name)[first:] if last is None else file.get_slice(name)[first:last]
        except (SafetensorError, OSError) as error:
            raise UnreadableError(f"{self.path} is missing or damaged ({error})", PREPARE_MISSING) from error

    def images(self, frames: Iterable[int]) -> np.ndarray:
        """Decode the crops of valid frames, (n, S, S, 3) uint8 RGB."""
        spans = [(int(self._image_ends[t - 1]) if t else 0, int(self._image_ends[t])) for t in frames]
        images = [cv2.imdecode(self.read("pictures", start, end), cv2.IMREAD_COLOR) for start, end in spans]
        return np.ascontiguousarray(np.stack(images)[..., ::-1])

    def motion(self) -> Motion:
        """Read the motion of the face, in pixels of the video."""
        return Motion(
            coefficients=self.read("coefficients"),
            scale=self.read("scale"),
            rotation=self.read("rotation"),
            translation=self.read("translation"),
            identity=self.read("identity"),
            weight=self.read("presence"),
            shot=self.read("shot"),
        )

    def landmarks(self, frames: np.ndarray) -> np.ndarray:
        """Read the landmarks of frames in pixels of the crops, (n, 478, 2) float32."""
        first, last = int(frames.min()), int(frames.max()) + 1
        points = self.read("landmarks", first, last)[frames - first, :, :2].astype(np.float64)
        crop_matrices = self.read("crop", first, last)[frames - first]
        return (points @ crop_matrices[:, :, :2].transpose(0, 2, 1) + crop_matrices[:, None, :, 2]).astype(np.float32)

    @cached_property
    def coefficients(self) -> np.ndarray:
        """Expression coefficients, (T, 52)."""
        return self.read("coefficients")

    @cached_property
    def valid(self) -> np.ndarray:
        """Frames that have a crop and a fitted face, (T,) bool."""
        return self.read("presence") > 0

    @cached_property
    def segment_index(self) -> np.ndarray:
        """Index of each frame's segment of consecutive valid frames of one shot, (T,); -1 for other frames."""
        key = np.where(self.valid, self.read("shot"), -1)
        index = np.cumsum(np.r_[0, np.diff(key) != 0])
        return np.where(self.valid, index, -1)

    @cached_property
    def segments(self) -> list[tuple[int, int]]:
        """First frame and frame after the last one of each segment, in order."""
        frames = [np.flatnonzero(self.segment_index == index) for index in np.unique(self.segment_index[self.valid])]
        return [(int(part[0]), int(part[-1]) + 1) for part in frames]

    @property
    def has_sound(self) -> bool:
        """Whether the video has sound."""
        return len(self.read("cepstra")) > 0

    def utterance(self, sound: bool) -> Utterance:
        """Return the features for `pair_frames`, of the sound or of the mouth."""
        rate = self.record.rate
        if sound:
            return Utterance(self.read("cepstra"), HOP_SECONDS, rate, self.record.frames)
        return Utterance(mouth_motion(self.read("landmarks")), 1 / rate, rate, self.record.frames)

    @cached_property
    def _image_ends(self) -> np.ndarray:
        return self.read("picture_end")


class ClipFolder:
    """The clips of a prepared folder in the order of its manifest.

    Args:
        folder: a prepared folder.
        units: names of the coefficients; a folder with others is refused.
        people: comma-separated persons to select, all by default; a name after "!" is excluded.
        verify: read every file once and compare it with the manifest.

    Attributes:
        clips: the selected clips.

    Raises:
        InputError: the folder has no such clips, or files are missing or altered; the error names them.
    """

    def __init__(self, folder: Path, units: tuple[str, ...], people: str = "", verify: bool = True):
        self.folder = folder
        records = read_manifest(folder)
        if not records:
            raise InputError(f"{folder} holds no clips", f"make them: python -m training.prepare VIDEOS -o {folder}")
        if any(record.units != units_digest(units) for record in records):
            raise InputError(f"the clips of {folder} have other coefficients than this head", PREPARE_AGAIN)
        if verify:
            _refuse_files(folder, [record.file for record in records if not is_intact(folder, record)])
        self.clips = [PreparedClip(folder, record) for record in records if _is_selected(record.person, people)]
        for clip in self.clips if verify else ():
            clip.check_shapes(len(units))
        if not self.clips:
            persons = ", ".join(sorted({record.person for record in records if record.person}))
            remedy = f"choose from {persons}" if persons else "its clips have no labels: give them by --labels"
            raise InputError(f"{folder} holds no clip of {people}", remedy)


def _refuse_files(folder: Path, files: list[str]) -> None:
    if files:
        more = f" and {len(files) - MAX_LISTED_FILES} more" if len(files) > MAX_LISTED_FILES else ""
        names = ", ".join(files[:MAX_LISTED_FILES])
        raise InputError(f"{folder} lacks files or holds altered ones: {names}{more}", PREPARE_MISSING)


def _is_selected(person: str | None, people: str) -> bool:
    names = [name.strip() for name in people.split(",") if name.strip()]
    selected = [name for name in names if not name.startswith("!")]
    return f"!{person}" not in names and (not selected or person in selected)
