"""Damage a synthetic speaker in known ways: each damage must change the measure meant for it, and no other.

python -m benchmarks.evaluation_truth [--json FILE] [--folder DIR]   # eSpeak NG must be installed

A speaker says a sentence without and with an emotion; the second clip is the generated one. Then its sound is shifted,
its mouth frozen, the person swapped, the frames blurred or flickering, or another emotion is shown. The words and the
camera stay the same in all clips, and the light and the background except for the other person, so every other change
of a measure is cross-talk.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from asccl import zoo
from asccl.evaluation.evaluate import evaluate_clip, evaluate_pool
from asccl.evaluation.face_stream import FaceStreams
from asccl.evaluation.measure import ClipPair, MeasureSkippedError, merge_states
from asccl.evaluation.registry import build_measures
from asccl.morphable.anny_head import load_anny_head
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import render_clip
from asccl.synthetic.emotions import apply_emotion, sample_style
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import blink_track, gaze_track, viseme_track
from asccl.types import Image
from benchmarks.report import print_rows
from training.assets.make_examples import EXAMPLE_SOUND_RATE, FRAME_RATE, write_example
from training.evaluation.espeak import SpokenText, speak, visemes_of

SENTENCE = "Bob may keep my map by the boat, and mother made a big apple pie."
SILENCE = 0.2  # seconds before the words
SIZE = 256  # pixels
FRAMES = 100
TARGET, OTHER = "surprised", "angry"
SOUND_SHIFT = 0.32  # seconds
BLUR = 1.6  # pixels, standard deviation
FLICKER = 6.0  # levels of 255, standard deviation over frames
MEASURES = (
    "av-agreement",
    "lip-correlation",
    "mouth-flow",
    "identity",
    "fad-mobilefacenet-unit",
    "sharpness",
    "flicker",
    "csim",
    "expression-gain",
    "scc",
    "background-change",
)
MEASURES_BY_DAMAGE = {  # damage -> the measure that it must change most
    "shifted sound": "av-agreement",
    "frozen mouth": "lip-correlation",
    "other person": "identity",
    "blur": "sharpness",
    "flicker": "flicker",
    "other emotion": "expression-gain",
}


def write_clips(folder: Path) -> dict[str, Path]:
    """Write the source, the reference, the good edit and the damaged ones. Returns name -> file."""
    head, spoken = load_anny_head(), speak(SENTENCE)
    times = np.arange(FRAMES) / FRAME_RATE
    rng = np.random.default_rng(3)
    lips = viseme_track(visemes_of(spoken, SILENCE), times, head)
    rest = sum(sample(rng, FRAMES, head, FRAME_RATE) for sample in (blink_track, gaze_track))
    words = np.clip(lips + rest, 0, 1).astype(np.float32)
    shows = {e: sample_style(np.random.default_rng(5), e, head, (1.1, 1.1)) for e in (TARGET, OTHER)}
    edited, wrong = (apply_emotion(words, shows[e], head) for e in (TARGET, OTHER))
    still = np.clip(lips.mean(0) + rest, 0, 1).astype(np.float32)
    speaker, other, actor = (SyntheticPerson.sample(np.random.default_rng(seed), head) for seed in (11, 12, 13))
    sound = _sound(spoken)
    late = np.roll(sound, round(SOUND_SHIFT * EXAMPLE_SOUND_RATE))

    def render(person: SyntheticPerson, coefficients: np.ndarray) -> list[Image]:
        cameras = (Camera.from_angles(4 * np.sin(t), 2 * np.cos(t), 0, SIZE) for t in times)
        return [image for image, _ in render_clip(person, coefficients, cameras, head)]

    good = render(speaker, edited)
    levels = np.random.default_rng(7).normal(0, FLICKER, FRAMES)
    clips: dict[str, tuple[Iterable[Image], np.ndarray]] = {
        "source": (render(speaker, words), sound),
        "reference": (render(actor, edited), sound),
        "edit": (good, sound),
        "shifted sound": (good, late),
        "frozen mouth": (render(speaker, apply_emotion(still, shows[TARGET], head)), sound),
        "other person": (render(other, edited), sound),
        "blur": ([cv2.GaussianBlur(image, (0, 0), BLUR) for image in good], sound),
        "flicker": ([_brighten(image, level) for image, level in zip(good, levels, strict=True)], sound),
        "other emotion": (render(speaker, wrong), sound),
    }
    paths = {}
    for name, (images, samples) in clips.items():
        paths[name] = folder / f"{name.replace(' ', '-')}.mp4"
        write_example(paths[name], images, samples, preset="veryfast")
    return paths


def measure(paths: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Measure every generated clip: clip -> measure -> value."""
    measures, missing = build_measures(MEASURES, zoo.load_evaluation_networks())
    for name, reason in missing.items():
        print(f"  {name} is not measured: {reason}")
    table: dict[str, dict[str, float]] = {}
    with FaceStreams() as streams:
        source, reference = streams.open(paths["source"]), streams.open(paths["reference"])
        pool = evaluate_pool(source, measures)
        for name, path in paths.items():
            if name == "reference":
                continue
            clip = ClipPair(source, streams.open(path), reference, TARGET)
            result = evaluate_clip(clip, measures)
            table[name] = {}
            for m in measures:
                if m.name in result.states:
                    state = merge_states(result.states[m.name], pool.get(m.name, {}))
                    try:
                        table[name][m.name] = m.compute(state).value
                    except MeasureSkippedError as reason:
                        print(f"  {m.name} of {name}: {reason}")
            print(f"  {name}: {len(table[name])} measures", flush=True)
    return table


def format_table(table: dict[str, dict[str, float]]) -> str:
    """Format as Markdown: a row per measure, a column per clip; the damage that a measure is meant for is bold."""
    names = [name for name in table if name != "source"]
    lines = ["| measure | copy | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for row in MEASURES:
        cells = [f"{table[name][row]:.3f}" if row in table[name] else "" for name in ["source", *names]]
        bold = [
            f"**{c}**" if MEASURES_BY_DAMAGE.get(n) == row else c
            for n, c in zip(["source", *names], cells, strict=True)
        ]
        lines.append(f"| {row} | " + " | ".join(bold) + " |")
    return "\n".join(lines)


def _sound(spoken: SpokenText) -> np.ndarray:
    """The speech after the silence, at the rate of the clips and as long as their frames."""
    count = round(FRAMES / FRAME_RATE * EXAMPLE_SOUND_RATE)
    times = np.arange(count) / EXAMPLE_SOUND_RATE - SILENCE
    return np.interp(times, np.arange(len(spoken.samples)) / spoken.rate, spoken.samples, 0, 0).astype(np.float32)


def _brighten(image: Image, level: float) -> Image:
    return np.clip(image.astype(np.float32) + level, 0, 255).astype(np.uint8)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the clips here")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        table = measure(write_clips(folder))
    print(format_table(table))
    rows: dict[str, float | str] = {}
    for clip, values in table.items():
        rows |= {f"{clip}: {name}": value for name, value in values.items()}
    print_rows("evaluation-truth", rows, arguments.json)


if __name__ == "__main__":
    main()
