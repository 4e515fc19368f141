"""Clips for studies: a synthetic face that moves for half a second, with a tone; no real person."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from media import write_clip

from asccl.types import EditRequest

FACE_COLOURS = {  # file name -> RGB
    "source": (225, 205, 180),
    "reference": (160, 190, 225),
    "NED": (230, 170, 150),
    "ASCCL": (170, 215, 170),
}
NUM_FRAMES, FRAME_RATE, SIZE = 6, Fraction(12), 96


def draw_frames(colour: tuple[int, int, int], vertical_offset: int, num_frames: int) -> list[np.ndarray]:
    images = []
    for index in range(num_frames):
        image = np.full((SIZE, SIZE, 3), (52, 48, 56), np.uint8)
        x, y = 24 + 8 * (index % NUM_FRAMES), 46 + vertical_offset
        cv2.circle(image, (x, y), 20, colour, -1, cv2.LINE_AA)
        cv2.ellipse(image, (x, y + 8), (8, 2 + index % 4), 0, 0, 360, (30, 10, 10), -1, cv2.LINE_AA)
        images.append(image)
    return images


def write_items(
    root: Path, emotions: tuple[str, ...] = ("happy", "sad"), per_emotion: int = 3, num_frames: int = NUM_FRAMES
) -> Path:
    """Write root/happy-0/{source,reference,NED,ASCCL}.mp4 and so on. Returns `root`."""
    for emotion in emotions:
        for number in range(per_emotion):
            folder = root / f"{emotion}-{number}"
            folder.mkdir(parents=True)
            for name, colour in FACE_COLOURS.items():
                write_clip(folder / f"{name}.mp4", draw_frames(colour, 2 * number, num_frames), FRAME_RATE)
    return root


class CopyingEditor:
    """Copies the source instead of editing it."""

    def edit(self, request: EditRequest) -> None:
        shutil.copy(request.source, request.output)
