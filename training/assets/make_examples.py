"""Makes the examples that the app may ship from one free photo: NASA's portrait of the astronaut Eileen Collins
(public domain, in scikit-image). A still, and a clip of it that talks: a slow camera, a mouth that opens and closes by
a smooth made-up rhythm, and a quiet babble in step with it; the same clip edited to be sad. And a rendered head
(`checkpoints/head-anny.safetensors`) that says the same.

    python -m training.assets.make_examples examples
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.signal import lfilter

from asccl import Editor, EditRequest
from asccl.editing.threads import limit_threads
from asccl.face import mesh
from asccl.face.easing import smoothstep
from asccl.morphable.anny_head import load_anny_head
from training.assets.portrait import PortraitAppearance, PortraitCamera, render

RATE = 25
SECONDS = 3.2
SIZE = 512
SOUND_RATE = 44_100
# where the mouth stands at each of these moments (seconds): 0 shut, 1 wide open; and how far it is rounded
WORDS = (
    (0.00, 0.30, 0.0), (0.18, 0.00, 0.0), (0.30, 0.85, 0.0), (0.46, 0.35, 0.4), (0.58, 0.00, 0.3), (0.68, 0.70, 0.1),
    (0.84, 0.25, 0.0), (0.98, 0.60, 0.7), (1.14, 0.20, 0.8), (1.26, 0.00, 0.4), (1.38, 0.95, 0.0), (1.58, 0.40, 0.1),
    (1.74, 0.10, 0.0), (1.88, 0.65, 0.2), (2.02, 0.30, 0.6), (2.16, 0.00, 0.5), (2.28, 0.75, 0.2), (2.46, 0.45, 0.0),
    (2.60, 0.00, 0.0), (2.74, 0.50, 0.5), (2.90, 0.20, 0.3), (3.04, 0.00, 0.0), (3.20, 0.10, 0.0),
)  # fmt: skip


def portrait() -> np.ndarray:
    """(512, 512, 3) uint8 RGB."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut())


def landmarks(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (468, 2) pixels."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    top, left, side = 20, 100, 250  # around the face, which is small for the detector
    with FaceMesh(static_image_mode=True, refine_landmarks=True) as finder:
        found = finder.process(np.ascontiguousarray(image[top : top + side, left : left + side]))
    points = found.multi_face_landmarks[0].landmark[: mesh.NUM_FACE_LANDMARKS]
    return np.array([(left + p.x * side, top + p.y * side) for p in points])


def rhythm(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T,) seconds -> opening and rounding, both (T,) in [0, 1], smooth and resting on a full closure."""
    moments, opening, rounding = np.array(WORDS).T
    places = np.clip(np.searchsorted(moments, times, side="right") - 1, 0, len(moments) - 2)
    share = (times - moments[places]) / (moments[places + 1] - moments[places])
    ease = smoothstep(share)
    blend = [row[places] + (row[places + 1] - row[places]) * ease for row in (opening, rounding)]
    return blend[0], blend[1]


class Mouth:
    """Opens and shuts the mouth of one picture: lips and chin by a warp, the teeth rigid with the skull."""

    def __init__(self, image: np.ndarray):
        self.image = image
        self.points = landmarks(image)
        upper, lower = self.points[list(mesh.UPPER_INNER_LIP)], self.points[list(mesh.LOWER_INNER_LIP)]
        self.gap = lower[:, 1] - upper[:, 1]  # of the photo, along the mouth
        self.width = float(np.linalg.norm(np.subtract(*self.points[list(mesh.INNER_LIP_CORNERS)])))
        height, width = image.shape[:2]
        edge = np.linspace(0, 1, 9)
        frame = [(x * (width - 1), y * (height - 1)) for x in edge for y in edge if x in (0, 1) or y in (0, 1)]
        self.frame = np.array(frame)
        grid = np.mgrid[0:height, 0:width].astype(np.float32)
        self.here = np.stack((grid[1], grid[0]), axis=-1)

    def moved(self, opening: float, rounding: float) -> np.ndarray:
        """(468, 2): where the landmarks go."""
        points = self.points.copy()
        centre = points[list(mesh.INNER_LIP_CORNERS)].mean(axis=0)
        arch = self.gap / max(self.gap.max(), 1e-6)
        target = (0.02 + 0.27 * opening) * self.width * arch
        change = target - self.gap
        # a tenth comes from the upper lip when the mouth opens, a half when it shuts
        up = np.where(change < 0, 0.5, 0.1) * change
        for rows, shift in (
            ((mesh.UPPER_INNER_LIP, mesh.UPPER_OUTER_LIP), -up),
            ((mesh.LOWER_INNER_LIP, mesh.LOWER_OUTER_LIP), change - up),
        ):
            for row in rows:
                points[list(row), 1] += shift
        middle = float((change - up)[len(change) // 2])
        below = self.points[:, 1] - self.points[list(mesh.LOWER_OUTER_LIP), 1].max()
        lips = set(mesh.LIPS)
        rest = np.array([index not in lips for index in range(len(points))])
        aside = np.exp(-0.5 * ((self.points[:, 0] - centre[0]) / (0.75 * self.width)) ** 2)
        fall = np.clip((below + 0.35 * self.width) / (0.35 * self.width), 0, 1) * aside
        points[rest, 1] += (0.8 * middle * fall)[rest]
        near = np.exp(-0.5 * (np.linalg.norm(self.points - centre, axis=1) / (0.55 * self.width)) ** 2)
        points[:, 0] += (centre[0] - points[:, 0]) * 0.22 * rounding * near
        return points

    def at(self, opening: float, rounding: float) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        points = self.moved(opening, rounding)
        known = np.concatenate((points, self.frame))
        shift = np.concatenate((self.points - points, np.zeros_like(self.frame)))
        field = LinearNDInterpolator(known, shift, fill_value=0.0)(self.here.reshape(-1, 2))
        field = cv2.GaussianBlur(field.reshape(*self.here.shape).astype(np.float32), (0, 0), 1.2)
        source = self.here + field
        warped = cv2.remap(self.image, source[..., 0], source[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return self.inside(warped, points)

    def inside(self, warped: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The opening between the lips shows the photo's teeth where it has them, and the dark below."""
        then = mask(self.image.shape, self.points[list(mesh.INNER_LIPS)], 0.8)
        now = mask(self.image.shape, points[list(mesh.INNER_LIPS)], 0.8)
        drop = np.float32([[1, 0, 0], [0, 1, (points[13] - self.points[13])[1]]])
        size = self.image.shape[1::-1]
        teeth = cv2.warpAffine(self.image, drop, size)
        seen = cv2.warpAffine(cv2.erode(then, np.ones((3, 3))), drop, size)[..., None]
        dark = np.array([52.0, 20.0, 20.0])
        shown = teeth * seen + dark * (1 - seen)
        return np.clip(warped * (1 - now[..., None]) + shown * now[..., None], 0, 255).astype(np.uint8)


def mask(shape: tuple[int, ...], loop: np.ndarray, soft: float) -> np.ndarray:
    """(H, W) float32 in [0, 1] inside a loop of points."""
    filled = np.zeros(shape[:2], np.float32)
    cv2.fillPoly(filled, [np.round(loop * 16).astype(np.int32)], 1.0, cv2.LINE_AA, shift=4)
    return cv2.GaussianBlur(filled, (0, 0), soft)


def camera(image: np.ndarray, time: float) -> np.ndarray:
    """A slow zoom, pan and tilt; (512, 512, 3)."""
    phase = 2 * np.pi * time / SECONDS
    turn = cv2.getRotationMatrix2D((222, 150), 2.2 * np.sin(phase), 1.66 + 0.07 * np.sin(0.5 * phase))
    turn[:, 2] += (34 + 7 * np.sin(phase + 0.6), 74 + 5 * np.sin(1.5 * phase))
    return cv2.warpAffine(image, turn, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def babble() -> np.ndarray:
    """(N,) float32 in [-1, 1]: a hum through three formants that follow the mouth; silent while it is shut."""
    times = np.arange(int(SECONDS * SOUND_RATE)) / SOUND_RATE
    opening, rounding = rhythm(times)
    pitch = 185 + 14 * np.sin(2 * np.pi * 0.7 * times) - 12 * times
    wave = np.interp(np.cumsum(pitch) / SOUND_RATE % 1, [0, 0.6, 0.62, 1], [0, 1, 0, 0]) - 0.3
    voice = np.zeros_like(wave)
    block = SOUND_RATE // 100
    states = [np.zeros(2) for _ in range(3)]
    for begin in range(0, len(wave), block):
        part = slice(begin, begin + block)
        formants = (320 + 480 * opening[begin], 1750 - 900 * rounding[begin], 2600)
        for number, (centre, loud) in enumerate(zip(formants, (1.0, 0.5, 0.25), strict=True)):
            radius = np.exp(-np.pi * 90 / SOUND_RATE)
            poles = [1, -2 * radius * np.cos(2 * np.pi * centre / SOUND_RATE), radius**2]
            heard, states[number] = lfilter([loud * (1 - radius)], poles, wave[part], zi=states[number])
            voice[part] += heard
    voice *= np.clip(1.6 * opening, 0, 1)
    return (0.16 * voice / np.abs(voice).max()).astype(np.float32)


def rendered(times: np.ndarray) -> list[np.ndarray]:
    """The baked head says the same, turns a little and blinks; (512, 512, 3) a frame. Seconds of work for each."""
    head = load_anny_head()
    identity = np.random.default_rng(3).normal(0, 0.7, len(head.identity))
    opening, rounding = rhythm(times)
    frames = []
    for time, open_, round_ in zip(times, opening, rounding, strict=True):
        blink = np.exp(-(((time - 1.65) / 0.06) ** 2))
        units = {"jawOpen": 0.38 * open_, "mouthPucker": 0.6 * round_, "mouthFunnel": 0.25 * round_ * open_,
                 "mouthLowerDownLeft": 0.2 * open_, "mouthLowerDownRight": 0.2 * open_, "eyeBlinkLeft": blink,
                 "eyeBlinkRight": blink}  # fmt: skip
        coefficients = np.zeros(len(head.names))
        for name, value in units.items():
            coefficients[head.index[name]] = value
        phase = 2 * np.pi * time / SECONDS
        view = PortraitCamera.facing(9 * np.sin(phase), 4 * np.sin(0.5 * phase), SIZE)
        frames.append(render(head, coefficients, identity, view, PortraitAppearance()))
    return frames


def write_clip(path: Path, frames: list[np.ndarray], sound: np.ndarray) -> None:
    """H.264 and AAC in an MP4."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as out:
        video = out.add_stream("libx264", RATE, options={"crf": "18", "preset": "slow"})
        video.width, video.height, video.pix_fmt = SIZE, SIZE, "yuv420p"
        audio = out.add_stream("aac", SOUND_RATE, bit_rate=96_000)
        audio.layout = "mono"  # type: ignore[attr-defined]
        for image in frames:
            out.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(video.encode())
        for begin in range(0, len(sound), 1024):
            part = av.AudioFrame.from_ndarray(sound[None, begin : begin + 1024], format="fltp", layout="mono")
            part.sample_rate, part.pts, part.time_base = SOUND_RATE, begin, Fraction(1, SOUND_RATE)
            out.mux(audio.encode(part))
        out.mux(audio.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the examples go")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    image = portrait()
    cv2.imwrite(str(folder / "astronaut.jpg"), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    times = np.arange(int(SECONDS * RATE)) / RATE
    mouth = Mouth(image)
    frames = [camera(mouth.at(*pair), time) for time, *pair in zip(times, *rhythm(times), strict=True)]
    write_clip(folder / "astronaut.mp4", frames, babble())
    limit_threads()
    Editor().edit(EditRequest(folder / "astronaut.mp4", emotion="sad"))  # astronaut-sad.mp4, for the Correlation tab
    write_clip(folder / "rendered.mp4", rendered(times), babble())


if __name__ == "__main__":
    main()
