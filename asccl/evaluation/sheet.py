"""Pictures of an evaluation: a sheet like Figure 5 of the paper, and videos with all methods side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

from asccl.errors import InputError
from asccl.evaluation.baselines import BASELINES
from asccl.evaluation.face_stream import PANELS, FaceStream, FaceStreams
from asccl.evaluation.manifest import EvaluationRow, LeftOut
from asccl.evaluation.measure import ClipPair
from asccl.evaluation.moment import cut_moment, find_moment
from asccl.evaluation.shards import open_clip
from asccl.files import AtomicFile
from asccl.types import Frame, Image, MediaInfo
from asccl.video import Writer

CELL_SIDE = 192  # pixels
LABEL_HEIGHT, LABEL_WIDTH = 24, 150  # pixels
LABEL_SIZE = 13  # pixels
TITLE_CHARACTERS = 18  # of a line beside a row of pictures
PAPER, INK = (255, 255, 255), (30, 30, 30)
PANEL_HEIGHT = 256  # pixels of a panel in a video


def group_clips(rows: Sequence[EvaluationRow]) -> list[list[EvaluationRow]]:
    """Return the rows of each clip that have a generated video, without the baselines."""
    groups: dict[str, list[EvaluationRow]] = {}
    for row in rows:
        if row.method not in BASELINES and row.generated is not None:
            groups.setdefault(row.id, []).append(row)
    return list(groups.values())


def write_sheet(path: Path, clips: Sequence[Sequence[EvaluationRow]], methods: Sequence[str]) -> list[LeftOut]:
    """Write a sheet: a row per clip; the columns are source, reference and methods. See `asccl.evaluation.moment`.

    Args:
        path: a PNG or JPEG file.
        clips: rows of each clip, see `group_clips`.
        methods: in the order of the columns.

    Returns:
        The clips whose videos cannot be used.

    Raises:
        OutputError: the file cannot be written.
    """
    header = [_text_image("", LABEL_WIDTH, LABEL_HEIGHT)]
    header += [_text_image(name, CELL_SIDE, LABEL_HEIGHT) for name in ("source", "reference", *methods)]
    lines, left_out = [np.hstack(header)], []
    for rows in clips:
        try:
            lines.append(_sheet_line(rows, methods))
        except InputError as error:
            left_out.append(LeftOut(f"{rows[0].id} in {path.name}", str(error)))
    with AtomicFile(path) as file:
        format_name = "JPEG" if path.suffix.lower() in (".jpg", ".jpeg") else "PNG"
        PillowImage.fromarray(np.vstack(lines)).save(file.temporary_path, format_name, quality=92)
    return left_out


def _sheet_line(rows: Sequence[EvaluationRow], methods: Sequence[str]) -> Image:
    cells: dict[str, Image] = {}
    with FaceStreams() as streams:
        for row in rows:
            clip = open_clip(row, streams)
            moment = cut_moment(clip, find_moment(clip), CELL_SIDE)
            cells.setdefault("source", moment.source)
            if moment.reference is not None:
                cells.setdefault("reference", moment.reference)
            cells[row.method] = moment.generated
    empty = np.full((CELL_SIDE, CELL_SIDE, 3), 235, np.uint8)
    title = textwrap.fill(rows[0].id, TITLE_CHARACTERS, break_on_hyphens=False)
    label = _text_image(f"{title}\n{rows[0].setting}\n{rows[0].emotion or ''}", LABEL_WIDTH, CELL_SIDE)
    return np.hstack([label, *(cells.get(name, empty) for name in ("source", "reference", *methods))])


def _text_image(text: str, width: int, height: int) -> Image:
    image = PillowImage.new("RGB", (width, height), PAPER)
    font = ImageFont.load_default(LABEL_SIZE)
    ImageDraw.Draw(image).multiline_text((6, 4), text, INK, font)
    return np.asarray(image)


def write_panels(folder: Path, rows: Sequence[EvaluationRow]) -> Path:
    """Write a video of one clip with source, reference and all methods side by side, with the sound of the source.

    Args:
        folder: of the video, which is named by the clip.
        rows: of one clip, see `group_clips`.

    Returns:
        The video.

    Raises:
        InputError: a video cannot be used.
        OutputError: the file cannot be written.
    """
    path = folder / f"{rows[0].file_stem}.mp4"
    folder.mkdir(parents=True, exist_ok=True)
    with FaceStreams() as streams:
        clips = [open_clip(row, streams) for row in rows]
        columns = _columns(clips)
        labels = np.hstack([_text_image(name, width, LABEL_HEIGHT) for name, width, _ in columns])
        info = MediaInfo(
            path=clips[0].source.path,
            width=labels.shape[1],
            height=LABEL_HEIGHT + PANEL_HEIGHT,
            frame_rate=clips[0].source.frame_rate,
            time_base=1 / (clips[0].source.frame_rate or Fraction(25)),
            duration=clips[0].source.info.duration,
            frames=clips[0].source.info.frames,
            is_still=False,
        )
        sound = clips[0].source.path if clips[0].source.info.audio_tracks else None
        with Writer(path, info, sound) as writer:
            for index, panels in enumerate(zip(*(images for _, _, images in columns), strict=False)):
                writer.write(Frame(np.vstack([labels, np.hstack(panels)]), index, index))
    return path


Column = tuple[str, int, Iterator[Image]]  # label, width in pixels, panels


def _columns(clips: Sequence[ClipPair]) -> list[Column]:
    """Return the columns of a video; the source gives the number of frames."""
    source = clips[0].source
    columns = [_column("source", source, 0, is_first=True)]
    if clips[0].reference is not None:
        columns.append(_column("reference", clips[0].reference, 0))
    return columns + [_column(clip.method, clip.generated, clip.offset) for clip in clips]


def _column(label: str, stream: FaceStream, offset: int, is_first: bool = False) -> Column:
    width = round(_stream_width(stream) * PANEL_HEIGHT / stream.info.height / 2) * 2
    return label, width, _panels(stream, offset, width, is_first)


def _stream_width(stream: FaceStream) -> int:
    """The width of the frames of a stream in pixels."""
    return stream.info.width // (PANELS if stream.panel is not None else 1)


def _panels(stream: FaceStream, offset: int, width: int, is_first: bool) -> Iterator[Image]:
    """Yield panels; another stream than the first is shifted by its offset, and holds its last frame at the end."""
    panel = np.full((PANEL_HEIGHT, width, 3), 128, np.uint8)
    for _ in range(max(offset, 0)):
        yield panel
    for image in islice(stream.images(), max(-offset, 0), None):
        panel = cv2.resize(image, (width, PANEL_HEIGHT), interpolation=cv2.INTER_AREA)
        yield panel
    while not is_first:
        yield panel
