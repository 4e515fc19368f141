"""Clips that `training.prepare` made of videos: a folder with a manifest, and for each clip one file of tensors.

    folder/manifest.jsonl     a line for each clip: `ClipRecord`
    folder/clips/NAME.safetensors

Tensors of a clip of T frames: pictures (bytes), picture_end (T,); coefficients (T, 52), scale (T,), rotation (T, 3, 3),
translation (T, 3), identity (468, 3), presence (T,), shot (T,), as `Motion` and `Track` have them; times (T,) seconds;
landmarks (T, 478, 3) pixels of the video, NaN without a face; crop (T, 2, 3) video -> picture; cepstra (N, 13) of the
sound, none where the video is silent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from asccl.data.pairing import HOP_SECONDS, Utterance, mouth_motion
from asccl.errors import InputError, UnreadableError
from asccl.face import mesh
from asccl.files import write_atomic
from asccl.types import EMOTIONS, Image, Motion

MANIFEST = "manifest.jsonl"
CLIPS_FOLDER = "clips"
FORMAT_VERSION = 1  # grows when the meaning of a tensor or a field changes
JPEG_QUALITY = 95  # of the pictures' JPEG
NAMED = 5  # files in an error; the others are counted
REMAKE = "run `python -m training.prepare` on its videos again, it makes what is missing"


@dataclass(frozen=True)
class ClipRecord:
    """A clip's line. file: in the folder. source: the video, under the folder that was handed in, and its size.
    sha256, bytes: of the file. frames: T; valid: of them with a face that can be edited. rate: frames a second.
    size: pixels of a picture's side. error: of the fit, percent of the eye distance. person, emotion, words, level,
    view: see `Labels`. emotions, units: the orders that numbers of this folder refer to. settings, versions: what made
    it."""

    file: str
    source: str
    source_bytes: int
    sha256: str
    bytes: int
    frames: int
    valid: int
    rate: float
    size: int
    error: float
    person: str | None
    emotion: str | None
    words: str | None
    level: int | None
    view: str | None
    settings: dict[str, Any]
    versions: dict[str, str]
    emotions: tuple[str, ...] = EMOTIONS
    units: str = ""
    format: int = FORMAT_VERSION

    def to_json_line(self) -> str:
        return json.dumps(asdict(self), sort_keys=True) + "\n"


def read_manifest(folder: Path, partial: bool = False) -> list[ClipRecord]:
    """The clips of a folder, none where there is no manifest. partial: a last line that was never finished is left out.
    Raises InputError, which names the line."""
    path = folder / MANIFEST
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if partial and lines and not lines[-1].endswith("\n"):
        lines.pop()
    return [_row(f"{path} line {number}", line) for number, line in enumerate(lines, 1)]


def _row(where: str, line: str) -> ClipRecord:
    try:
        told = json.loads(line)
        if told.get("format") != FORMAT_VERSION:
            raise InputError(
                f"{where} is of format {told.get('format')}, not {FORMAT_VERSION}", "prepare the videos anew"
            )
        if tuple(told["emotions"]) != EMOTIONS:
            raise InputError(
                f"{where} has the emotions in the order {', '.join(told['emotions'])}, not {', '.join(EMOTIONS)}",
                "prepare the videos anew with this version",
            )
        row = ClipRecord(**told | {"emotions": EMOTIONS})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{where} is damaged ({type(error).__name__}: {error})", "delete the line, then " + REMAKE
        ) from error
    if row.emotion is not None and row.emotion not in EMOTIONS:
        raise InputError(f"{where} has no emotion {row.emotion!r}", f"choose from {', '.join(EMOTIONS)}")
    return row


def is_intact(folder: Path, row: ClipRecord) -> bool:
    """Whether a clip's file is there, and is the very one that the manifest means."""
    path = folder / row.file
    try:
        if path.stat().st_size != row.bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == row.sha256
    except OSError:
        return False


def write_clip(path: Path, pictures: Iterable[Image | None], tensors: Mapping[str, np.ndarray]) -> tuple[int, str]:
    """One file, there under its name only once it is whole; the same bytes every time. Its size and sha256.

    pictures: (S, S, 3) uint8 RGB, None for a frame without one. Raises OutputError.
    """
    encoded = [b"" if picture is None else _encoded(picture) for picture in pictures]
    ends = np.cumsum([len(part) for part in encoded], dtype=np.int64)
    data = save({
        "pictures": np.frombuffer(b"".join(encoded), np.uint8), "picture_end": ends,
        **{name: np.ascontiguousarray(value) for name, value in tensors.items()},
    })  # fmt: skip
    write_atomic(path, data)
    return len(data), hashlib.sha256(data).hexdigest()


def _encoded(picture: Image) -> bytes:
    return cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


class PreparedClip:
    """One clip, read piece by piece. Raises UnreadableError where the file is damaged."""

    def __init__(self, folder: Path, row: ClipRecord):
        self.path, self.record = folder / row.file, row

    def __len__(self) -> int:
        return self.record.frames

    def check(self, units: int) -> None:
        """Raises InputError where a tensor has another shape than the others, or than the manifest says."""
        t = self.record.frames
        expected = {
            "coefficients": (t, units),
            "landmarks": (t, mesh.NUM_LANDMARKS, 3),
            "crop": (t, 2, 3),
            "picture_end": (t,),
        }
        with safe_open(self.path, framework="np") as file:
            for name, shape in expected.items():
                found = tuple(file.get_slice(name).get_shape()) if name in file.keys() else None  # noqa: SIM118
                if found != shape:
                    raise InputError(f"{self.path} has {name} of shape {found}, not {shape}", "prepare the videos anew")

    def read(self, name: str, first: int = 0, last: int | None = None) -> np.ndarray:
        """Rows first..last-1 of a tensor; all of it by default."""
        try:
            with safe_open(self.path, framework="np") as file:
                return file.get_tensor(name)[first:] if last is None else file.get_slice(name)[first:last]
        except (SafetensorError, OSError) as error:
            raise UnreadableError(f"{self.path} is missing or damaged ({error})", REMAKE) from error

    def images(self, frames: Iterable[int]) -> np.ndarray:
        """(n, S, S, 3) uint8 RGB of valid frames."""
        spans = [(int(self._ends[t - 1]) if t else 0, int(self._ends[t])) for t in frames]
        found = [cv2.imdecode(self.read("pictures", a, b), cv2.IMREAD_COLOR) for a, b in spans]
        return np.ascontiguousarray(np.stack(found)[..., ::-1])

    def motion(self) -> Motion:
        """What the face does, pixels of the video."""
        return Motion(
            self.read("coefficients"), self.read("scale"), self.read("rotation"), self.read("translation"),
            self.read("identity"), self.read("presence"), shot=self.read("shot"),
        )  # fmt: skip

    def landmarks(self, frames: np.ndarray) -> np.ndarray:
        """(n, 478, 2) float32 pixels of the pictures."""
        first, last = int(frames.min()), int(frames.max()) + 1
        points = self.read("landmarks", first, last)[frames - first, :, :2].astype(np.float64)
        crop = self.read("crop", first, last)[frames - first]
        return (points @ crop[:, :, :2].transpose(0, 2, 1) + crop[:, None, :, 2]).astype(np.float32)

    @cached_property
    def coefficients(self) -> np.ndarray:
        return self.read("coefficients")

    @cached_property
    def valid(self) -> np.ndarray:
        """(T,) bool: frames that have a picture and a fitted face."""
        return self.read("presence") > 0

    @cached_property
    def segment_index(self) -> np.ndarray:
        """(T,) number of the stretch of valid frames of one shot that each frame belongs to; -1 for none."""
        key = np.where(self.valid, self.read("shot"), -1)
        number = np.cumsum(np.r_[0, np.diff(key) != 0])
        return np.where(self.valid, number, -1)

    @cached_property
    def segments(self) -> list[tuple[int, int]]:
        """First and last + 1 of each stretch, in order."""
        found = [np.flatnonzero(self.segment_index == number) for number in np.unique(self.segment_index[self.valid])]
        return [(int(frames[0]), int(frames[-1]) + 1) for frames in found]

    @property
    def has_sound(self) -> bool:
        return len(self.read("cepstra")) > 0

    def utterance(self, sound: bool) -> Utterance:
        """What is said, for `paired_frames`: by the sound, or by the mouth."""
        rate = self.record.rate
        if sound:
            return Utterance(self.read("cepstra"), HOP_SECONDS, rate, self.record.frames)
        return Utterance(mouth_motion(self.read("landmarks")), 1 / rate, rate, self.record.frames)

    @cached_property
    def _ends(self) -> np.ndarray:
        return self.read("picture_end")


class ClipFolder:
    """All clips of a folder, in the manifest's order.

    units: names of the coefficients; others are refused. people: these alone, by their labels, all by default; with
    "!" before a name: all but that one. verify: read every file once and compare it with the manifest.
    Raises InputError, which names the files that are missing or altered.
    """

    def __init__(self, folder: Path, units: tuple[str, ...], people: str = "", verify: bool = True):
        self.folder = folder
        rows = read_manifest(folder)
        if not rows:
            raise InputError(f"{folder} holds no clips", f"make them: python -m training.prepare VIDEOS -o {folder}")
        if any(row.units != units_digest(units) for row in rows):
            raise InputError(f"the clips of {folder} have other coefficients than this head", "prepare the videos anew")
        if verify:
            _refuse(folder, [row.file for row in rows if not is_intact(folder, row)])
        self.clips = [PreparedClip(folder, row) for row in rows if _chosen(row.person, people)]
        for clip in self.clips if verify else ():
            clip.check(len(units))
        if not self.clips:
            raise InputError(f"{folder} holds no clip of {people}", "see the persons in its manifest")


def units_digest(units: tuple[str, ...]) -> str:
    """Their order, in short."""
    return hashlib.sha256(",".join(units).encode()).hexdigest()[:16]


def _refuse(folder: Path, broken: list[str]) -> None:
    if broken:
        more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
        raise InputError(f"{folder} lacks files or holds altered ones: {', '.join(broken[:NAMED])}{more}", REMAKE)


def _chosen(person: str | None, people: str) -> bool:
    names = [name.strip() for name in people.split(",") if name.strip()]
    wanted = [name for name in names if not name.startswith("!")]
    return f"!{person}" not in names and (not wanted or person in wanted)
