"""The paper's test protocols on MEAD and RAVDESS: which clips are sources, references and real videos of which actor.

intra-id: the source already shows the emotion, and the reference shows the same actor with that emotion in another
take; the edit is a reconstruction. cross-id: a neutral source, and the actor's *driver*, another actor, as reference.
The real videos of an actor and an emotion are the actor's test clips with that emotion.

The authors publish neither their list of clips nor the intra-id references. Here, a reference is the next test clip of
the actor and emotion (MEAD), or the other statement (RAVDESS); RAVDESS is taken in strong intensity. `PAPER_FRAMES`
holds the numbers of test frames that their scripts contain, so that a selection can be compared with theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from asccl.data import mead, ravdess
from asccl.errors import InputError
from asccl.evaluation.manifest import SETTINGS, EvaluationRow
from asccl.types import EMOTIONS

NEUTRAL = "neutral"
FRAME_COLUMNS = ("angry", "disgusted", "fear", "happy", "neutral", "sad", "surprised")  # of the tables below
MEAD_EMOTION_CLIPS, MEAD_NEUTRAL_CLIPS = ("028", "029", "030"), ("037", "038", "039", "040")
MEAD_VIEW, MEAD_LEVEL, MEAD_NEUTRAL_LEVEL = "front", 3, 1
RAVDESS_MODALITY, RAVDESS_CHANNEL, RAVDESS_STRONG, RAVDESS_NORMAL = "01", "01", "02", "01"
RAVDESS_STATEMENT, RAVDESS_OTHER_STATEMENT, RAVDESS_REPETITION = "02", "01", "02"
RAVDESS_CODES = {emotion: code for code, emotion in ravdess.EMOTION_CODES.items()}

MEAD_DRIVERS = {"M003": "W015", "M009": "M003", "M012": "W029", "M030": "M012", "W015": "M030", "W029": "M009"}
MEAD_FRAMES = {
    "M003": (290, 334, 317, 346, 472, 336, 321),
    "M009": (428, 309, 303, 368, 512, 335, 339),
    "M012": (427, 312, 512, 479, 530, 484, 491),
    "M030": (495, 551, 544, 536, 583, 501, 494),
    "W015": (485, 250, 462, 428, 729, 505, 512),
    "W029": (532, 506, 421, 380, 589, 528, 432),
}
RAVDESS_DRIVERS = {"01": "06", "02": "01", "03": "02", "04": "03", "05": "04", "06": "05"}
RAVDESS_FRAMES = {
    "01": (133, 131, 117, 118, 95, 112, 98),
    "02": (120, 121, 108, 116, 108, 110, 114),
    "03": (135, 118, 103, 115, 104, 111, 97),
    "04": (115, 118, 107, 113, 97, 113, 106),
    "05": (109, 136, 93, 102, 108, 94, 106),
    "06": (134, 119, 112, 108, 103, 121, 96),
}


@dataclass(frozen=True)
class TestProtocol:
    """The paper's protocol on one data set.

    Attributes:
        name: of the data set.
        drivers: actor -> actor of the cross-id references.
        frames: actor -> number of test frames with each emotion of `FRAME_COLUMNS`, in the authors' scripts.
        test_clips: actor, emotion -> names of the test clips.
        references: actor, emotion -> name of the intra-id reference of each test clip.
        find: root -> files by name.
    """

    __test__ = False  # pytest collects classes with this prefix otherwise

    name: str
    drivers: Mapping[str, str]
    frames: Mapping[str, tuple[int, ...]]
    test_clips: Callable[[str, str], tuple[str, ...]]
    references: Callable[[str, str], tuple[str, ...]]
    find: Callable[[Path], dict[str, Path]]


@dataclass(frozen=True)
class ProtocolRows:
    """Rows of a manifest, without generated videos.

    Attributes:
        rows: a row per source and target emotion.
        missing: names of the clips that the protocol asks for and that are not on disk.
        test_clips: actor, emotion -> the sources with this target emotion.
    """

    rows: tuple[EvaluationRow, ...]
    missing: tuple[str, ...]
    test_clips: Mapping[tuple[str, str], tuple[Path, ...]]


def _mead_clips(actor: str, emotion: str) -> tuple[str, ...]:
    is_neutral = emotion == NEUTRAL
    level = MEAD_NEUTRAL_LEVEL if is_neutral else MEAD_LEVEL
    folder = f"{actor}/video/{MEAD_VIEW}/{emotion}/level_{level}"
    return tuple(f"{folder}/{clip}.mp4" for clip in (MEAD_NEUTRAL_CLIPS if is_neutral else MEAD_EMOTION_CLIPS))


def _mead_references(actor: str, emotion: str) -> tuple[str, ...]:
    clips = _mead_clips(actor, emotion)
    return (*clips[1:], clips[0])


def _find_mead(root: Path) -> dict[str, Path]:
    names = {path: mead.clip_name(path) for path in sorted(root.rglob("*.mp4"))}
    return {name: path for path, name in names.items() if name is not None}


def _ravdess_name(actor: str, emotion: str, statement: str) -> str:
    intensity = RAVDESS_NORMAL if emotion == NEUTRAL else RAVDESS_STRONG
    numbers = (RAVDESS_MODALITY, RAVDESS_CHANNEL, RAVDESS_CODES[emotion], intensity, statement, RAVDESS_REPETITION)
    return "-".join((*numbers, actor)) + ".mp4"


def _ravdess_clips(actor: str, emotion: str) -> tuple[str, ...]:
    return (_ravdess_name(actor, emotion, RAVDESS_STATEMENT),)


def _ravdess_references(actor: str, emotion: str) -> tuple[str, ...]:
    return (_ravdess_name(actor, emotion, RAVDESS_OTHER_STATEMENT),)


def _find_ravdess(root: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(root.rglob("*.mp4")) if ravdess.parse_labels(path) is not None}


PROTOCOLS: Mapping[str, TestProtocol] = MappingProxyType(
    {
        "mead": TestProtocol("mead", MEAD_DRIVERS, MEAD_FRAMES, _mead_clips, _mead_references, _find_mead),
        "ravdess": TestProtocol(
            "ravdess", RAVDESS_DRIVERS, RAVDESS_FRAMES, _ravdess_clips, _ravdess_references, _find_ravdess
        ),
    }
)


def paper_frames(protocol: TestProtocol, setting: str, actor: str, emotion: str) -> int:
    """Return the number of test frames in the authors' scripts; a cross-id source is neutral for every emotion.

    Args:
        protocol: of the data set.
        setting: one of `SETTINGS`.
        actor: of the source.
        emotion: target emotion.
    """
    column = emotion if setting == SETTINGS[0] else NEUTRAL
    return protocol.frames[actor][FRAME_COLUMNS.index(column)]


def build_rows(protocol: TestProtocol, root: Path, setting: str) -> ProtocolRows:
    """Select the test clips of a data set.

    Args:
        protocol: of the data set.
        root: folder of the data set, searched with its subfolders.
        setting: one of `SETTINGS`.

    Raises:
        InputError: there is no such folder, or no test clip in it.
    """
    if not root.is_dir():
        raise InputError(f"there is no folder {root}", f"give the folder of {protocol.name}")
    files = protocol.find(root)
    rows: list[EvaluationRow] = []
    missing: dict[str, None] = {}
    test_clips: dict[tuple[str, str], tuple[Path, ...]] = {}
    for actor in protocol.drivers:
        for emotion in EMOTIONS:
            sources, references = _clip_names(protocol, setting, actor, emotion)
            real = protocol.test_clips(actor, emotion)
            missing |= dict.fromkeys(name for name in (*sources, *references, *real) if name not in files)
            test_clips[actor, emotion] = tuple(files[name] for name in sources if name in files)
            rows += [
                EvaluationRow(
                    id=f"{Path(source).stem if protocol.name == 'ravdess' else _mead_id(source)}-to-{emotion}",
                    setting=setting,
                    source=str(files[source]),
                    emotion=emotion,
                    speaker=actor,
                    reference=str(files[reference]),
                    real=tuple(str(files[name]) for name in real if name in files),
                )
                for source, reference in zip(sources, references, strict=True)
                if source in files and reference in files
            ]
    if not rows:
        first = next(iter(missing), "")
        raise InputError(f"{root} has no complete test clip of {protocol.name}", f"give a folder that holds {first}")
    return ProtocolRows(tuple(rows), tuple(missing), MappingProxyType(test_clips))


def _clip_names(
    protocol: TestProtocol, setting: str, actor: str, emotion: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of sources and of their references."""
    if setting == SETTINGS[0]:
        return protocol.test_clips(actor, emotion), protocol.references(actor, emotion)
    sources = protocol.test_clips(actor, NEUTRAL)
    driver = protocol.test_clips(protocol.drivers[actor], emotion)
    return sources, tuple(driver[k % len(driver)] for k in range(len(sources)))


def _mead_id(name: str) -> str:
    path = Path(name)
    return f"{path.parts[0]}-{path.parts[3]}-{path.stem}"
