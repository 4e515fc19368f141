"""Let judges name the emotion of edits and of real faces, mixed on sheets without labels.

Judges are people or vision models. `sheets` edits clips and stills, each to three of the seven emotions in turn, so
that all emotions are judged equally often. It takes one frame of each edit (the one with the widest eyes of the middle
half of the edited part), mixes it with controls, and writes sheets of four numbered crops and `key.json`. Controls tell
what the same judges make of other faces, such as those of actors: a control is a clip or a still of one face whose
name begins with the emotion that it shows (`angry-017.mp4`), or with `any` where nobody knows it.

A judge looks at the sheets, at nothing else, and writes `FOLDER/answers-NAME.csv` without a header, in lines of
`number,emotion,skin,mouth,eyes`. Grades say how real and undamaged a part looks: 5 as a frame of a real video, 4 a
small flaw on a close look, 3 a visible flaw, 2 plainly wrong, 1 grotesque. `table` compares the answers with the key.

    python -m benchmarks.blind_trial sheets FOLDER --clips CLIP ... [--control real=FOLDER ...] [--seconds 2.5]
    python -m benchmarks.blind_trial table FOLDER ... [--json FILE]

Rates have 95 % Wilson intervals, which take all answers as independent; two judges of one crop are not quite so.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from asccl import Editor, EditRequest
from asccl.face.crop import face_region
from asccl.face.landmarker import FaceLandmarker
from asccl.face.mesh import LEFT_EYE, RIGHT_EYE, eye_distance
from asccl.study.stats import wilson_interval
from asccl.types import EMOTIONS, Image, as_image
from asccl.video import probe, read_frames_at
from benchmarks.report import print_rows

EDITS = "edits"  # name of their kind in the key
UNKNOWN_EMOTION = "any"
EMOTIONS_PER_CLIP = 3
FRAME_CANDIDATES = 9
CROP_HEIGHT = 512  # pixels
SHEET_ROWS, SHEET_COLUMNS = 2, 2
LABEL_HEIGHT = 30  # pixels, above a crop
GRADES = ("skin", "mouth", "eyes")


@dataclass(frozen=True)
class Item:
    """One numbered crop of the sheets.

    Attributes:
        kind: "edits" or the name of a control.
        emotion: that it shows or was edited to; "any" where nobody knows it.
        name: of its file.
    """

    kind: str
    emotion: str
    name: str


@dataclass(frozen=True)
class Answer:
    """What one judge wrote about one crop. grades: of skin, mouth and eyes, 1 to 5."""

    item: Item
    emotion: str
    grades: tuple[float, ...]


def chosen_emotions(clip_index: int) -> list[str]:
    """Emotions that a clip is edited to: the next three of the seven."""
    return [EMOTIONS[(EMOTIONS_PER_CLIP * clip_index + i) % len(EMOTIONS)] for i in range(EMOTIONS_PER_CLIP)]


def edit_crops(clips: Sequence[Path], seconds: float, crop: Callable[[Path], Image]) -> Iterator[tuple[Item, Image]]:
    """Edit every clip to three emotions and cut the face out of one frame of each edit.

    Args:
        clips: videos or stills with one face.
        seconds: length of the part of a video that is edited.
        crop: cuts the face out of one frame of a file.

    Yields:
        What a crop shows, and the crop.
    """
    editor = Editor()
    for i, clip in enumerate(clips):
        for emotion in chosen_emotions(i):
            is_still = probe(clip).is_still
            with tempfile.TemporaryDirectory() as folder:
                output = Path(folder) / f"{emotion}{'.png' if is_still else '.mp4'}"
                request = EditRequest(source=clip, output=output, emotion=emotion, end=None if is_still else seconds)
                yield Item(EDITS, emotion, clip.name), crop(editor.edit(request).output)


def control_crops(kind: str, folder: Path, crop: Callable[[Path], Image]) -> Iterator[tuple[Item, Image]]:
    """Cut the face out of one frame of every file of a folder of controls.

    Args:
        kind: name of the controls in the table.
        folder: files whose names begin with an emotion.
        crop: cuts the face out of one frame of a file.

    Yields:
        What a crop shows, and the crop.

    Raises:
        SystemExit: the name of a file begins with no emotion.
    """
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        emotion = path.stem.partition("-")[0].partition("_")[0]
        if emotion not in (*EMOTIONS, UNKNOWN_EMOTION):
            raise SystemExit(f"the name of {path} must begin with one of {', '.join((*EMOTIONS, UNKNOWN_EMOTION))}")
        yield Item(kind, emotion, path.name), crop(path)


def cut_face(path: Path, seconds: float, landmarker: FaceLandmarker) -> Image:
    """Cut the face out of the candidate frame with the widest eyes.

    Args:
        path: of a clip or a still.
        seconds: length of the part whose middle half is searched.
        landmarker: detects the face.

    Returns:
        Crop of `CROP_HEIGHT` pixels of height, uint8 RGB.

    Raises:
        SystemExit: no frame shows a face.
    """
    info = probe(path)
    length = min(seconds, info.duration or seconds)
    times = [0.0] if info.is_still else list(np.linspace(0.25, 0.75, FRAME_CANDIDATES) * length)
    images = [as_image(frame.pixels) for frame in read_frames_at(path, times)]
    detections = [(image, landmarker.detect(image)) for image in images]
    faces = [(image, landmarks) for image, landmarks in detections if landmarks is not None]
    if not faces:
        raise SystemExit(f"{path} shows no face")
    image, landmarks = max(faces, key=lambda face: eye_opening(face[1]))
    height, width = image.shape[:2]
    box = (*landmarks[:, :2].min(0), *landmarks[:, :2].max(0))
    left, top, right, bottom = face_region(box, (width, height))
    size = (round(CROP_HEIGHT * (right - left) / (bottom - top)), CROP_HEIGHT)
    interpolation = cv2.INTER_CUBIC if bottom - top < CROP_HEIGHT else cv2.INTER_AREA
    return cv2.resize(image[top:bottom, left:right], size, interpolation=interpolation)


def eye_opening(landmarks: np.ndarray) -> float:
    """Area of the eye that is open least, in squared eye distances. landmarks: (478, 3) pixels."""
    areas = [cv2.contourArea(landmarks[list(eye), :2].astype(np.float32)) for eye in (RIGHT_EYE, LEFT_EYE)]
    return min(areas) / float(eye_distance(landmarks)) ** 2


def draw_sheet(crops: Sequence[Image], first_number: int) -> Image:
    """Draw up to four crops with their numbers. Returns uint8 RGB on white."""
    height, width = CROP_HEIGHT + LABEL_HEIGHT, max(crop.shape[1] for crop in crops)
    sheet = np.full((SHEET_ROWS * height, SHEET_COLUMNS * width, 3), 255, np.uint8)
    for i, crop in enumerate(crops):
        y, x = i // SHEET_COLUMNS * height, i % SHEET_COLUMNS * width
        sheet[y + LABEL_HEIGHT : y + height, x : x + crop.shape[1]] = crop
        position = (x + 5, y + LABEL_HEIGHT - 6)
        cv2.putText(sheet, str(first_number + i), position, cv2.FONT_HERSHEY_SIMPLEX, 0.8, (200, 0, 0), 2)
    return sheet


def write_sheets(folder: Path, items: list[tuple[Item, Image]], seed: int) -> None:
    """Shuffle the crops and write the sheets and the key.

    Args:
        folder: is made where it does not exist.
        items: what each crop shows, and the crop.
        seed: of the order.
    """
    random.Random(seed).shuffle(items)
    folder.mkdir(parents=True, exist_ok=True)
    size = SHEET_ROWS * SHEET_COLUMNS
    for start in range(0, len(items), size):
        sheet = draw_sheet([image for _, image in items[start : start + size]], start + 1)
        cv2.imwrite(str(folder / f"sheet-{start // size + 1:02}.png"), sheet[..., ::-1])
    (folder / "key.json").write_text(json.dumps([asdict(item) for item, _ in items], indent=1), encoding="utf-8")


def read_answers(folder: Path) -> list[Answer]:
    """Read the answers of all judges of a folder.

    Raises:
        SystemExit: a line names a crop or an emotion that does not exist, or lacks a grade.
    """
    items = [Item(**entry) for entry in json.loads((folder / "key.json").read_text(encoding="utf-8"))]
    answers = []
    for path in sorted(folder.glob("answers-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for line, row in enumerate(csv.reader(file), 1):
                try:
                    number, emotion = int(row[0]), row[1].strip().lower()
                    grades = tuple(float(grade) for grade in row[2 : 2 + len(GRADES)])
                    if not 1 <= number <= len(items) or emotion not in EMOTIONS or len(grades) < len(GRADES):
                        raise ValueError
                except (ValueError, IndexError):
                    raise SystemExit(f"{path}, line {line}: expected number,emotion,skin,mouth,eyes") from None
                answers.append(Answer(items[number - 1], emotion, grades))
    return answers


def trial_rows(answers: Sequence[Answer]) -> dict[str, float | str]:
    """Rows of the table: for each kind the emotions named right and the mean grades, for edits also by emotion."""
    rows: dict[str, float | str] = {}
    for kind in sorted({answer.item.kind for answer in answers}):
        of_kind = [answer for answer in answers if answer.item.kind == kind]
        labelled = [answer for answer in of_kind if answer.item.emotion != UNKNOWN_EMOTION]
        if labelled:
            rows[f"{kind}: named right"] = format_rate(labelled)
        for emotion in EMOTIONS:
            of_emotion = [answer for answer in labelled if answer.item.emotion == emotion]
            if of_emotion:
                rows[f"{kind}: {emotion}"] = format_names(of_emotion)
        for name, grades in zip(GRADES, zip(*(answer.grades for answer in of_kind), strict=True), strict=True):
            rows[f"{kind}: {name}"] = float(np.mean(grades))
    return rows


def format_rate(answers: Sequence[Answer]) -> str:
    """Say how many answers name the emotion right, with the 95 % interval."""
    right = sum(answer.emotion == answer.item.emotion for answer in answers)
    low, high = wilson_interval(right, len(answers))
    return f"{right} of {len(answers)} ({right / len(answers):.0%}, {low:.0%} to {high:.0%})"


def format_names(answers: Sequence[Answer]) -> str:
    """Count the emotions that judges named, the most frequent first."""
    names = [answer.emotion for answer in answers]
    ranking = sorted(set(names), key=lambda name: (-names.count(name), name))
    return ", ".join(f"{name} {names.count(name)}" for name in ranking)


def parse_control(text: str) -> tuple[str, Path]:
    """Parse `KIND=FOLDER`."""
    kind, separator, folder = text.partition("=")
    if not kind or not separator or not Path(folder).is_dir():
        raise argparse.ArgumentTypeError(f"expected KIND=FOLDER with an existing folder, got {text!r}")
    return kind, Path(folder)


def main() -> None:
    """Write the sheets of a trial or print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sheets = commands.add_parser("sheets", help="edit the clips and write the sheets")
    sheets.add_argument("folder", type=Path)
    sheets.add_argument("--clips", type=Path, nargs="+", required=True, metavar="CLIP")
    sheets.add_argument("--control", type=parse_control, action="append", default=[], metavar="KIND=FOLDER")
    sheets.add_argument("--seconds", type=float, default=2.5, help="length of the part of a clip that is edited")
    sheets.add_argument("--seed", type=int, default=0, help="of the order of the crops")
    table = commands.add_parser("table", help="compare the answers with the key")
    table.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    table.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    if arguments.command == "table":
        answers = [answer for folder in arguments.folders for answer in read_answers(folder)]
        print_rows("blind_trial", trial_rows(answers), arguments.json)
        return
    crop = partial(cut_face, seconds=arguments.seconds, landmarker=FaceLandmarker())
    items = list(edit_crops(arguments.clips, arguments.seconds, crop))
    for kind, folder in arguments.control:
        items += control_crops(kind, folder, crop)
    write_sheets(arguments.folder, items, arguments.seed)


if __name__ == "__main__":
    main()
