"""Measure trained networks: renderers alone, and whole edits. Every finished row is kept as a JSON line.

A row is measured once its networks are finished, so that a part of an ablation already has scores.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from asccl.evaluation.truth_metrics import psnr
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_manipulator import encode_style, translate_expression
from asccl.nets.ned_renderer import CONDITION_CHANNELS, NedGenerator
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.synthetic.emotions import MAX_COEFFICIENT
from asccl.types import EMOTIONS
from asccl.zoo import load_manipulator, load_renderer
from training.ablation.cases import INTRA_ID, SETTINGS, AblationCase
from training.ablation.design import PRETRAINED, ROWS, STAGES, SUPERVISIONS, AblationRow, TrainingStage
from training.ablation.metrics import FeatureExtractor, coefficient_metrics, image_metrics
from training.ablation.recorded_cases import recorded_cases
from training.ablation.synthetic_cases import synthetic_cases
from training.renderer_step import generate_clip

UNCHANGED_ROW = "source as it is"


@dataclass(frozen=True)
class ScoreSettings:
    """Settings of the scoring of one seed.

    Attributes:
        networks: folder of the trained networks.
        scores: file that the rows are appended to.
        seed: of networks and speaker.
        emotions: number of target emotions, the first ones of `EMOTIONS`.
        frames: of a case.
        cases_per_emotion: cases of every target emotion.
        edits: measure whole edits too, not renderers alone.
        cross_id: measure edits whose reference is another person, too.
        device: that the networks run on.
        data: folder of `training.prepare`; without one, cases are synthetic.
        person: of the labels of that folder.
    """

    networks: Path = Path("build/ablation/networks")
    scores: Path = Path("build/ablation/scores-0.jsonl")
    seed: int = 0
    emotions: int = len(EMOTIONS)
    frames: int = 16
    cases_per_emotion: int = 3
    edits: bool = True
    cross_id: bool = True
    device: str = "cpu"
    data: Path | None = None
    person: str = ""


def network_file(folder: Path, stage: TrainingStage, supervision: str, seed: int) -> Path:
    """Return the file of a trained network.

    Args:
        folder: of all networks.
        stage: of the network.
        supervision: a key of `SUPERVISIONS`.
        seed: of the training.
    """
    label = re.sub(r"\W+", "-", supervision.replace("'", ""))
    return folder / f"{stage}-{label}-{seed}.safetensors"


def translate_source(case: AblationCase, setting: str, file: Path, device: str) -> np.ndarray:
    """Translate the source to the style of the reference, without the editor's rules that protect speech.

    Args:
        case: the case.
        setting: which reference.
        file: of the manipulator.
        device: that it runs on.

    Returns:
        (T, 52) coefficients.
    """
    net = load_manipulator(file, device)
    source, reference = (
        torch.from_numpy(x).float().to(device) for x in (case.source, case.references[setting].coefficients)
    )
    generated = translate_expression(net.generator, source, encode_style(net.style_encoder, reference))
    return generated.cpu().numpy().clip(0, MAX_COEFFICIENT)


@torch.inference_mode()
def render_case(net: NedGenerator, case: AblationCase, coefficients: np.ndarray) -> np.ndarray:
    """Render an expression into the source images.

    Args:
        net: generator of the person.
        case: the case.
        coefficients: (T, 52).

    Returns:
        (T, S, S, 3) uint8 RGB.
    """
    device = next(net.parameters()).device
    conditions = torch.from_numpy(case.conditions(coefficients)).to(device)
    source = torch.from_numpy(case.source_images).to(device).permute(0, 3, 1, 2) / 127.5 - 1
    mask = conditions[:, CONDITION_CHANNELS:]
    images = mask * generate_clip(net, conditions) + (1 - mask) * source
    return ((images + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()


class Evaluator:
    """Measures the edits of one seed; holds what all rows share. Call `close()`.

    Args:
        settings: of the scoring.
        size: side of an image, pixels.
    """

    def __init__(self, settings: ScoreSettings, size: int):
        self.settings, self.head, self.extractor = settings, load_anny_head(), FeatureExtractor()
        surface, amount = FaceSurface(self.head), (settings.frames, settings.cases_per_emotion)
        if settings.data is None:
            self.cases = synthetic_cases(settings.seed, settings.emotions, *amount, size, surface)
        else:
            self.cases = recorded_cases(settings.data, settings.person, *amount, surface)
        self.truth = [self.extractor.extract(case.true_images, case.true_landmarks) for case in self.cases]
        self.references = {
            setting: [
                self.extractor.extract(reference.images, reference.landmarks)
                for reference in (case.references[setting] for case in self.cases)
            ]
            for setting in SETTINGS
        }

    def close(self) -> None:
        """Release the feature extractor."""
        self.extractor.close()

    def evaluate_row(self, row: AblationRow, setting: str) -> dict[str, float]:
        """Measure the edits by the networks of a row."""
        folder, seed, device = self.settings.networks, self.settings.seed, self.settings.device
        manipulator = network_file(folder, "manipulator", row.manipulator, seed)
        renderer, _ = load_renderer(network_file(folder, "renderer", row.renderer, seed), device)
        coefficients = [translate_source(case, setting, manipulator, device) for case in self.cases]
        images = [render_case(renderer, case, w) for case, w in zip(self.cases, coefficients, strict=True)]
        return self.evaluate(coefficients, images, setting)

    def evaluate_renderer(self, supervision: str) -> dict[str, float]:
        """Measure a renderer alone: it draws the true coefficients of the edit."""
        file = network_file(self.settings.networks, "renderer", supervision, self.settings.seed)
        renderer, _ = load_renderer(file, self.settings.device)
        truth = [case.truth for case in self.cases]
        images = [render_case(renderer, case, w) for case, w in zip(self.cases, truth, strict=True)]
        return self.evaluate(truth, images, INTRA_ID)

    def evaluate_source(self, setting: str) -> dict[str, float]:
        """Measure the sources, as if they were edits."""
        sources = [case.source for case in self.cases]
        return self.evaluate(sources, [case.source_images for case in self.cases], setting)

    def evaluate(
        self, coefficients: Sequence[np.ndarray], images: Sequence[np.ndarray], setting: str
    ) -> dict[str, float]:
        """Measure edits.

        Args:
            coefficients: (T, 52) of each case.
            images: (T, S, S, 3) uint8 RGB of each case.
            setting: which references.
        """
        features = [self.extractor.extract(x, c.source_landmarks) for x, c in zip(images, self.cases, strict=True)]
        emotions = [case.emotion for case in self.cases]
        return {
            **image_metrics(features, self.truth, self.references[setting], emotions),
            "psnr": float(np.mean([psnr(x, case.true_images) for x, case in zip(images, self.cases, strict=True)])),
            **coefficient_metrics(coefficients, [case.truth for case in self.cases], self.head),
        }


def read_scores(path: Path) -> list[dict]:
    """Read the complete lines of a file of scores."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def missing_rows(settings: ScoreSettings, done: Collection[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Return (family, setting, row) of what is not done and whose networks are finished."""

    def is_finished(stage: TrainingStage, supervision: str) -> bool:
        return network_file(settings.networks, stage, supervision, settings.seed).exists()

    names = [PRETRAINED, *SUPERVISIONS["renderer"]]
    rows = [("renderer", INTRA_ID, name) for name in names if is_finished("renderer", name)]
    edits = [row.name for row in ROWS if all(is_finished(stage, row.supervision(stage)) for stage in STAGES)]
    if rows and settings.edits:
        measured = SETTINGS if settings.cross_id else (INTRA_ID,)
        rows += [("edit", setting, name) for setting in measured for name in (UNCHANGED_ROW, *edits)]
    return [row for row in rows if row not in done]


def main(settings: ScoreSettings) -> None:
    """Measure the rows of a seed that are not in the file of scores yet, and whose networks are finished."""
    scores = read_scores(settings.scores)
    missing = missing_rows(settings, {(score["family"], score["setting"], score["row"]) for score in scores})
    if not missing:
        return
    settings.scores.parent.mkdir(parents=True, exist_ok=True)
    settings.scores.write_text("".join(json.dumps(score) + "\n" for score in scores), encoding="utf-8")
    trained = next(settings.networks.glob(f"renderer-*-{settings.seed}.safetensors"))
    evaluator = Evaluator(settings, load_renderer(trained)[1].size)
    for family, setting, name in missing:
        if family == "renderer":
            values = evaluator.evaluate_renderer(name)
        elif name == UNCHANGED_ROW:
            values = evaluator.evaluate_source(setting)
        else:
            values = evaluator.evaluate_row(next(row for row in ROWS if row.name == name), setting)
        score = {"family": family, "seed": settings.seed, "setting": setting, "row": name, **values}
        with settings.scores.open("a", encoding="utf-8") as file:
            file.write(json.dumps(score) + "\n")
        print(json.dumps(score), flush=True)
    evaluator.close()
