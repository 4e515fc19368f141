"""Make the first example files of the app from one free photo, NASA's portrait of the astronaut Eileen Collins.

    python -m training.assets.make_examples [FOLDER]

The photo is in the public domain and comes with scikit-image.

| file | content |
|---|---|
| astronaut.jpg | the photo |
| astronaut.mp4 | the photo talking: a slow camera, lips in a synthetic rhythm, and a quiet voice in step with them |
| rendered.mp4 | the bundled head (`checkpoints/head-anny.safetensors`) with the same words |
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.signal import lfilter

from asccl.face import mesh
from asccl.face.easing import smoothstep
from asccl.morphable.anny_head import load_anny_head
from asccl.types import Image
from asccl.video.container import open_output
from training.assets.portrait import PortraitAppearance, PortraitCamera, render

FRAME_RATE = 25  # Hz
SECONDS = 3.2
SIZE = 512  # pixels
EXAMPLE_SOUND_RATE = 44_100  # Hz
SOUND_CHUNK = 1024  # samples
FACE_BOX = (20, 100, 250)  # top, left and side of the photo's face, which is too small for the detector in the photo
MOUTH_SHADOW = np.array([52.0, 20.0, 20.0])  # RGB
FORMANT_BANDWIDTH = 90  # Hz
RHYTHM = np.array(  # seconds; lip opening, 0 closed to 1 wide open; lip rounding
    [
        *[(0.00, 0.30, 0.0), (0.18, 0.00, 0.0), (0.30, 0.85, 0.0), (0.46, 0.35, 0.4), (0.58, 0.00, 0.3)],
        *[(0.68, 0.70, 0.1), (0.84, 0.25, 0.0), (0.98, 0.60, 0.7), (1.14, 0.20, 0.8), (1.26, 0.00, 0.4)],
        *[(1.38, 0.95, 0.0), (1.58, 0.40, 0.1), (1.74, 0.10, 0.0), (1.88, 0.65, 0.2), (2.02, 0.30, 0.6)],
        *[(2.16, 0.00, 0.5), (2.28, 0.75, 0.2), (2.46, 0.45, 0.0), (2.60, 0.00, 0.0), (2.74, 0.50, 0.5)],
        *[(2.90, 0.20, 0.3), (3.04, 0.00, 0.0), (3.20, 0.10, 0.0)],
    ]
)


def load_photo() -> Image:
    """Load the photo, (512, 512, 3) uint8 RGB."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut())


def detect_photo_landmarks(photo: Image) -> np.ndarray:
    """Detect the landmarks of the photo's face, (468, 2) pixels."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    top, left, side = FACE_BOX
    with FaceMesh(static_image_mode=True, refine_landmarks=True) as net:
        result = net.process(np.ascontiguousarray(photo[top : top + side, left : left + side]))
    points = result.multi_face_landmarks[0].landmark[: mesh.NUM_FACE_LANDMARKS]
    return np.array([(left + p.x * side, top + p.y * side) for p in points])


def sample_rhythm(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return lip opening and rounding at times (T,) in seconds, both (T,) in [0, 1] and smooth."""
    knots, *curves = RHYTHM.T
    index = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    weight = smoothstep((times - knots[index]) / (knots[index + 1] - knots[index]))
    opening, rounding = (curve[index] + (curve[index + 1] - curve[index]) * weight for curve in curves)
    return opening, rounding


class TalkingPhoto:
    """Opens and closes the mouth of a photo: lips and chin are warped, the teeth are rigid with the skull.

    Args:
        photo: (H, W, 3) uint8 RGB.
    """

    def __init__(self, photo: Image):
        self.photo = photo
        self.landmarks = detect_photo_landmarks(photo)
        upper, lower = self.landmarks[list(mesh.UPPER_INNER_LIP)], self.landmarks[list(mesh.LOWER_INNER_LIP)]
        self.lip_gap = lower[:, 1] - upper[:, 1]  # along the mouth
        self.mouth_width = float(np.linalg.norm(np.subtract(*self.landmarks[list(mesh.INNER_LIP_CORNERS)])))
        height, width = photo.shape[:2]
        edge = np.linspace(0, 1, 9)
        border = [(x * (width - 1), y * (height - 1)) for x in edge for y in edge if x in (0, 1) or y in (0, 1)]
        self.border = np.array(border)
        grid = np.mgrid[0:height, 0:width].astype(np.float32)
        self.pixels = np.stack((grid[1], grid[0]), axis=-1)

    def move_landmarks(self, opening: float, rounding: float) -> np.ndarray:
        """Return the landmarks (468, 2) for a lip opening and rounding in [0, 1]."""
        points = self.landmarks.copy()
        centre = points[list(mesh.INNER_LIP_CORNERS)].mean(axis=0)
        arch = self.lip_gap / max(self.lip_gap.max(), 1e-6)
        change = (0.02 + 0.27 * opening) * self.mouth_width * arch - self.lip_gap
        upward = np.where(change < 0, 0.5, 0.1) * change  # part of the upper lip in closing and in opening
        for lips, shift in (
            ((mesh.UPPER_INNER_LIP, mesh.UPPER_OUTER_LIP), -upward),
            ((mesh.LOWER_INNER_LIP, mesh.LOWER_OUTER_LIP), change - upward),
        ):
            for lip in lips:
                points[list(lip), 1] += shift
        middle = float((change - upward)[len(change) // 2])
        below = self.landmarks[:, 1] - self.landmarks[list(mesh.LOWER_OUTER_LIP), 1].max()
        not_lips = np.array([index not in mesh.LIPS for index in range(len(points))])
        lateral = np.exp(-0.5 * ((self.landmarks[:, 0] - centre[0]) / (0.75 * self.mouth_width)) ** 2)
        chin = np.clip((below + 0.35 * self.mouth_width) / (0.35 * self.mouth_width), 0, 1) * lateral
        points[not_lips, 1] += (0.8 * middle * chin)[not_lips]
        distance = np.linalg.norm(self.landmarks - centre, axis=1)
        nearness = np.exp(-0.5 * (distance / (0.55 * self.mouth_width)) ** 2)
        points[:, 0] += (centre[0] - points[:, 0]) * 0.22 * rounding * nearness
        return points

    def render(self, opening: float, rounding: float) -> Image:
        """Render the photo (H, W, 3) uint8 RGB with a lip opening and rounding in [0, 1]."""
        points = self.move_landmarks(opening, rounding)
        positions = np.concatenate((points, self.border))
        shift = np.concatenate((self.landmarks - points, np.zeros_like(self.border)))
        field = LinearNDInterpolator(positions, shift, fill_value=0.0)(self.pixels.reshape(-1, 2))
        field = cv2.GaussianBlur(field.reshape(*self.pixels.shape).astype(np.float32), (0, 0), 1.2)
        source = self.pixels + field
        warped = cv2.remap(self.photo, source[..., 0], source[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return self._fill_mouth(warped, points)

    def _fill_mouth(self, warped: Image, points: np.ndarray) -> Image:
        """Show the photo's teeth between the lips where it has them, and a shadow below."""
        photo_mouth = soft_mask(self.photo.shape, self.landmarks[list(mesh.INNER_LIPS)], 0.8)
        mouth = soft_mask(self.photo.shape, points[list(mesh.INNER_LIPS)], 0.8)
        lip_shift = np.array([[1, 0, 0], [0, 1, (points[13] - self.landmarks[13])[1]]], np.float32)
        size = self.photo.shape[1::-1]
        teeth = cv2.warpAffine(self.photo, lip_shift, size)
        teeth_mask = cv2.warpAffine(cv2.erode(photo_mouth, np.ones((3, 3))), lip_shift, size)[..., None]
        inside = teeth * teeth_mask + MOUTH_SHADOW * (1 - teeth_mask)
        return np.clip(warped * (1 - mouth[..., None]) + inside * mouth[..., None], 0, 255).astype(np.uint8)


def soft_mask(shape: tuple[int, ...], polygon: np.ndarray, blur: float) -> np.ndarray:
    """Draw the inside of a polygon with a soft border.

    Args:
        shape: of the image.
        polygon: (n, 2) pixels.
        blur: standard deviation in pixels.

    Returns:
        (H, W) float32 in [0, 1].
    """
    mask = np.zeros(shape[:2], np.float32)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 1.0, cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(mask, (0, 0), blur)


def move_camera(image: Image, time: float) -> Image:
    """Return the image (512, 512, 3) of a camera that zooms, pans and tilts slowly. time: seconds."""
    phase = 2 * np.pi * time / SECONDS
    matrix = cv2.getRotationMatrix2D((222, 150), 2.2 * np.sin(phase), 1.66 + 0.07 * np.sin(0.5 * phase))
    matrix[:, 2] += (34 + 7 * np.sin(phase + 0.6), 74 + 5 * np.sin(1.5 * phase))
    return cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def synthesize_voice() -> np.ndarray:
    """Synthesize a voice, (N,) in [-1, 1]: three formants that follow the lips, silence while they are closed."""
    times = np.arange(int(SECONDS * EXAMPLE_SOUND_RATE)) / EXAMPLE_SOUND_RATE
    opening, rounding = sample_rhythm(times)
    pitch = 185 + 14 * np.sin(2 * np.pi * 0.7 * times) - 12 * times  # Hz
    wave = np.interp(np.cumsum(pitch) / EXAMPLE_SOUND_RATE % 1, [0, 0.6, 0.62, 1], [0, 1, 0, 0]) - 0.3
    voice = np.zeros_like(wave)
    block = EXAMPLE_SOUND_RATE // 100
    states = [np.zeros(2) for _ in range(3)]
    radius = np.exp(-np.pi * FORMANT_BANDWIDTH / EXAMPLE_SOUND_RATE)
    for first in range(0, len(wave), block):
        part = slice(first, first + block)
        formants = (320 + 480 * opening[first], 1750 - 900 * rounding[first], 2600)  # Hz
        for number, (frequency, gain) in enumerate(zip(formants, (1.0, 0.5, 0.25), strict=True)):
            poles = [1, -2 * radius * np.cos(2 * np.pi * frequency / EXAMPLE_SOUND_RATE), radius**2]
            filtered, states[number] = lfilter([gain * (1 - radius)], poles, wave[part], zi=states[number])
            voice[part] += filtered
    voice *= np.clip(1.6 * opening, 0, 1)
    return (0.16 * voice / np.abs(voice).max()).astype(np.float32)


def render_head(times: np.ndarray) -> list[Image]:
    """Render the bundled head with the same words, blinking and turning a little, at times (T,) in seconds.

    Returns:
        T images, (512, 512, 3) uint8 RGB; each takes seconds.
    """
    head = load_anny_head()
    identity = np.random.default_rng(3).normal(0, 0.7, len(head.identity))
    frames = []
    for time, opening, rounding in zip(times, *sample_rhythm(times), strict=True):
        blink = np.exp(-(((time - 1.65) / 0.06) ** 2))
        units = {
            "jawOpen": 0.38 * opening,
            "mouthPucker": 0.6 * rounding,
            "mouthFunnel": 0.25 * rounding * opening,
            "mouthLowerDownLeft": 0.2 * opening,
            "mouthLowerDownRight": 0.2 * opening,
            "eyeBlinkLeft": blink,
            "eyeBlinkRight": blink,
        }
        coefficients = np.zeros(len(head.names))
        for name, value in units.items():
            coefficients[head.index[name]] = value
        phase = 2 * np.pi * time / SECONDS
        camera = PortraitCamera.facing(9 * np.sin(phase), 4 * np.sin(0.5 * phase), SIZE)
        frames.append(render(head, coefficients, identity, camera, PortraitAppearance()))
    return frames


def write_example(path: Path, frames: Iterable[Image], sound: np.ndarray, preset: str = "slow") -> None:
    """Write H.264 and AAC in an MP4.

    Args:
        path: file to write.
        frames: images (H, W, 3) uint8 RGB at `FRAME_RATE`.
        sound: (N,) float32 in [-1, 1] at `EXAMPLE_SOUND_RATE`.
        preset: of x264.
    """
    frames = iter(frames)
    first = next(frames)
    with open_output(path, "mp4", {"movflags": "+faststart"}) as out:
        video = out.add_stream("libx264", FRAME_RATE, options={"crf": "18", "preset": preset})
        video.height, video.width = first.shape[:2]
        video.pix_fmt = "yuv420p"
        audio = out.add_stream("aac", EXAMPLE_SOUND_RATE, bit_rate=96_000)
        audio.layout = "mono"  # type: ignore[attr-defined]  # PyAV's stubs lack the setter
        for image in chain([first], frames):
            out.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(video.encode())
        for start in range(0, len(sound), SOUND_CHUNK):
            part = av.AudioFrame.from_ndarray(sound[None, start : start + SOUND_CHUNK], format="fltp", layout="mono")
            part.sample_rate, part.pts, part.time_base = EXAMPLE_SOUND_RATE, start, Fraction(1, EXAMPLE_SOUND_RATE)
            out.mux(audio.encode(part))
        out.mux(audio.encode())


def main() -> None:
    """Write all example files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("examples"), help="default: %(default)s")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    photo, voice = load_photo(), synthesize_voice()
    cv2.imwrite(str(folder / "astronaut.jpg"), photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    times = np.arange(int(SECONDS * FRAME_RATE)) / FRAME_RATE
    talking = TalkingPhoto(photo)
    rhythm = zip(times, *sample_rhythm(times), strict=True)
    frames = [move_camera(talking.render(opening, rounding), time) for time, opening, rounding in rhythm]
    write_example(folder / "astronaut.mp4", frames, voice)
    write_example(folder / "rendered.mp4", render_head(times), voice)


if __name__ == "__main__":
    main()
