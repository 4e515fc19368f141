"""Clips for studies: a drawn face that moves, half a second, with a tone; no real person."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from media import write_clip

COLOURS = {"source": (225, 205, 180), "reference": (160, 190, 225), "NED": (230, 170, 150), "ASCCL": (170, 215, 170)}
FRAMES, RATE, SIZE = 6, Fraction(12), 96


def drawn(colour: tuple[int, int, int], seed: int) -> list[np.ndarray]:
    images = []
    for index in range(FRAMES):
        image = np.full((SIZE, SIZE, 3), (52, 48, 56), np.uint8)
        x, y = 24 + 8 * index, 46 + 2 * seed
        cv2.circle(image, (x, y), 20, colour, -1, cv2.LINE_AA)
        cv2.ellipse(image, (x, y + 8), (8, 2 + index % 4), 0, 0, 360, (30, 10, 10), -1, cv2.LINE_AA)
        images.append(image)
    return images


def clip_folder(root: Path, emotions: tuple[str, ...] = ("happy", "sad"), each: int = 3) -> Path:
    """root/happy-0/{source,reference,NED,ASCCL}.mp4 and so on."""
    for emotion in emotions:
        for number in range(each):
            folder = root / f"{emotion}-{number}"
            folder.mkdir(parents=True)
            for name, colour in COLOURS.items():
                write_clip(folder / f"{name}.mp4", drawn(colour, number), RATE)
    return root
