"""Makes the edits of one seed, row by row, and measures them. Every finished row is a JSON line and is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from asccl.evaluation.metrics import psnr
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_manipulator import encode_style, translate
from asccl.nets.ned_renderer import CONDITION_CHANNELS, INPUT_FRAMES, PREVIOUS_FRAMES, Generator
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.synthetic.speech import MAX_COEFFICIENT
from asccl.types import EMOTIONS
from asccl.zoo import load_manipulator, load_renderer
from training.ablation.cases import SETTINGS, Case, Reference
from training.ablation.design import ROWS, Row, Stage
from training.ablation.measures import FeatureExtractor, FrameFeatures, coefficient_metrics, image_metrics
from training.ablation.recorded_cases import recorded_cases
from training.ablation.synthetic_cases import synthetic_cases

SOURCE = "source as it is"


@dataclass(frozen=True)
class ScoreSettings:
    """networks: folder of their files. lines: file that the results are added to. seed: of networks and speaker.
    emotions: how many are wanted, the first ones of `EMOTIONS`. frames, each: of a case; cases of every wanted emotion.
    device: that the networks run on. data, person: folder of `training.prepare`, and who in it; made up without."""

    networks: Path = Path("build/ablation/networks")
    scores: Path = Path("build/ablation/scores-0.jsonl")
    seed: int = 0
    emotions: int = len(EMOTIONS)
    frames: int = 16
    cases_per_emotion: int = 2
    device: str = "cpu"
    data: Path | None = None
    person: str = ""


def network(folder: Path, stage: Stage, supervision: str, seed: int) -> Path:
    """Where the finished network lies."""
    return folder / f"{stage}-{supervision.replace(' ', '-').replace(chr(39), '')}-{seed}.safetensors"


def directed(case: Case, setting: str, file: Path, device: str) -> np.ndarray:
    """(T, 52) the source in the style of the reference. What the network says, whole: no rule spares the words."""
    net = load_manipulator(file, device)
    source, reference = (
        torch.from_numpy(x).float().to(device) for x in (case.source, case.references[setting].coefficients)
    )
    made = translate(net.generator, source, encode_style(net.style_encoder, reference))
    return made.cpu().numpy().clip(0, MAX_COEFFICIENT)


@torch.inference_mode()
def painted(net: Generator, case: Case, coefficients: np.ndarray) -> np.ndarray:
    """The source's frames with the face that the renderer draws, (T, S, S, 3) uint8 RGB; out of nothing, as an edit."""
    device = next(net.parameters()).device
    conditions = torch.from_numpy(case.conditions(coefficients)).to(device)
    seen = torch.cat([conditions[:1]] * (INPUT_FRAMES - 1) + [conditions])
    made = [conditions.new_full((3, *conditions.shape[2:]), -1.0)] * PREVIOUS_FRAMES
    for t in range(len(conditions)):
        made.append(net(seen[t : t + INPUT_FRAMES].flatten(0, 1)[None], torch.cat(made[-PREVIOUS_FRAMES:])[None])[0])
    source = torch.from_numpy(case.before).to(device).permute(0, 3, 1, 2) / 127.5 - 1
    mask = conditions[:, CONDITION_CHANNELS:]
    whole = mask * torch.stack(made[PREVIOUS_FRAMES:]) + (1 - mask) * source
    return ((whole + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()


class Evaluator:
    """Everything of a seed that all rows share."""

    def __init__(self, settings: ScoreSettings, size: int):
        self.settings, self.head, self.eyes = settings, load_anny_head(), FeatureExtractor()
        surface = FaceSurface(self.head)
        much = settings.frames, settings.cases_per_emotion
        if settings.data is None:
            self.cases = synthetic_cases(settings.seed, settings.emotions, *much, size, surface)
        else:
            self.cases = recorded_cases(settings.data, settings.person, *much, surface)
        self.truth = [self.eyes.look(case.after, case.places) for case in self.cases]
        self.references = {
            setting: [self.eyes.look(shown.pictures, shown.places) for shown in self._shown(setting)]
            for setting in SETTINGS
        }

    def _shown(self, setting: str) -> list[Reference]:
        return [case.references[setting] for case in self.cases]

    def _look(self, clips: Sequence[np.ndarray]) -> list[FrameFeatures]:
        return [self.eyes.look(pictures, case.at) for pictures, case in zip(clips, self.cases, strict=True)]

    def row(self, row: Row, setting: str) -> dict[str, float]:
        """What is measured of an edit by the networks of a row."""
        folder, seed, device = self.settings.networks, self.settings.seed, self.settings.device
        file = network(folder, "manipulator", row.manipulator, seed)
        net, _ = load_renderer(network(folder, "renderer", row.renderer, seed), device)
        made = [directed(case, setting, file, device) for case in self.cases]
        return self.measure(made, [painted(net, case, w) for case, w in zip(self.cases, made, strict=True)], setting)

    def source(self, setting: str) -> dict[str, float]:
        return self.measure([case.source for case in self.cases], [case.before for case in self.cases], setting)

    def measure(self, made: Sequence[np.ndarray], pictures: Sequence[np.ndarray], setting: str) -> dict[str, float]:
        emotions = [case.emotion for case in self.cases]
        return {
            **image_metrics(self._look(pictures), self.truth, self.references[setting], emotions),
            "psnr": float(np.mean([psnr(x, case.after) for x, case in zip(pictures, self.cases, strict=True)])),
            **coefficient_metrics(made, [case.truth for case in self.cases], self.head),
        }


def scored(lines: Path) -> list[dict]:
    """Whole lines of a file of results."""
    text = lines.read_text(encoding="utf-8") if lines.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def main(settings: ScoreSettings) -> None:
    wanted = [(setting, row) for setting in SETTINGS for row in (None, *ROWS)]
    done = scored(settings.scores)
    names = {(told["setting"], told["row"]) for told in done}
    wanted = [(setting, row) for setting, row in wanted if (setting, row.name if row else SOURCE) not in names]
    if not wanted:
        return
    settings.scores.parent.mkdir(parents=True, exist_ok=True)
    settings.scores.write_text("".join(json.dumps(told) + "\n" for told in done), encoding="utf-8")
    _, card = load_renderer(network(settings.networks, "renderer", ROWS[0].renderer, settings.seed))
    judge = Evaluator(settings, card.size)
    for setting, row in wanted:
        found = judge.row(row, setting) if row else judge.source(setting)
        told = {"seed": settings.seed, "setting": setting, "row": row.name if row else SOURCE, **found}
        with settings.scores.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")
        print(json.dumps(told), flush=True)
    judge.eyes.close()
