"""Model cards: what a repository says about its weights. The text of each bundled file is in `cards/NAME.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from asccl.errors import InputError
from asccl.publish.licences import Licence

CARDS_FOLDER = Path(__file__).with_name("cards")
NOBODY = "nobody"  # value of `depicts` of weights that cannot generate a person
PAPER = "https://openaccess.thecvf.com/content/CVPR2024/html/Chen_Learning_Adaptive_Spatial_Coherent_Correlations_for_Speech-Preserving_Facial_Expression_Manipulation_CVPR_2024_paper.html"
CITATION = """\
@inproceedings{chen2024asccl,
  title     = {Learning Adaptive Spatial Coherent Correlations for Speech-Preserving Facial Expression Manipulation},
  author    = {Chen, Tianshui and Lin, Jianman and Yang, Zhijing and Qing, Chunmei and Lin, Liang},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2024}
}"""


@dataclass(frozen=True)
class CardMeasure:
    """One number that a script of this project printed.

    Attributes:
        metric: what was measured.
        value: the number as the script prints it.
        data: what it was measured on.
        script: the command that prints it.
    """

    metric: str
    value: float
    data: str
    script: str


@dataclass(frozen=True)
class Card:
    """What a model card says.

    Attributes:
        title: of the card.
        licence: SPDX names; empty takes the licence of the table of weights.
        copyright: lines for the licence file.
        depicts: whose face the weights can generate; `NOBODY`, or a name or description.
        consent: who agreed to what, and where that is kept; required unless `depicts` is `NOBODY`.
        pipeline_tag: task of the Hub.
        tags: of the Hub.
        purpose: what the weights are for.
        usage: Python code that loads them; REPO stands for the repository.
        training_data: what they were trained on.
        recipe: how they were made.
        limits: what they cannot do.
        measures: numbers by scripts of this project.
    """

    title: str
    depicts: str
    pipeline_tag: str
    purpose: str
    usage: str
    training_data: str
    recipe: str
    limits: str
    licence: str = ""
    consent: str = ""
    copyright: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    measures: tuple[CardMeasure, ...] = ()


def read_card(path: Path) -> Card:
    """Read the card of a TOML file. Raises InputError where an entry is missing, unknown or of another type."""
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable TOML file ({error})", "correct it; docs/publish.md") from error
    known = {field.name for field in fields(Card)}
    if unknown := sorted(entries.keys() - known):
        raise InputError(f"{path} has the unknown entry {unknown[0]}", f"use {', '.join(sorted(known))}")
    try:
        measures = tuple(CardMeasure(**{**row, "value": float(row["value"])}) for row in entries.pop("measures", ()))
        values: dict[str, Any] = {name: tuple(map(str, entries.pop(name, ()))) for name in ("copyright", "tags")}
        values |= {name: str(text).strip() for name, text in entries.items()}
        card = Card(**values, measures=measures)
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{path} is not a complete card ({error})", "add the entry; docs/publish.md") from error
    return card


def front_matter(card: Card, repo: str, name: str, licence: Licence) -> str:
    """Format the metadata that the Hub reads, as YAML.

    Args:
        card: of the weights.
        repo: "owner/name".
        name: of the weights.
        licence: of the weights.
    """
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type=card.pipeline_tag,
            dataset_type="other",
            dataset_name=measure.data,
            metric_type="other",
            metric_name=measure.metric,
            metric_value=measure.value,
            source_name=measure.script,
            source_url=f"https://huggingface.co/{repo}",
        )
        for measure in card.measures
    ]
    data = ModelCardData(
        license=licence.hub_id,
        license_name=licence.hub_name,
        license_link="LICENSE" if licence.hub_name else None,
        library_name="asccl",
        pipeline_tag=card.pipeline_tag,
        tags=list(card.tags),
        model_name=name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml()


def render_card(card: Card, repo: str, name: str, licence: Licence, origin: Mapping[str, Any]) -> str:
    """Write the model card.

    Args:
        card: of the weights.
        repo: "owner/name".
        name: of the weights.
        licence: of the weights.
        origin: `sha256`, `size` and `version` of the software.

    Returns:
        README.md: metadata of the Hub, then the sections.
    """
    rows = [f"| {m.metric} | {m.value:g} | {m.data} | `{m.script}` |" for m in card.measures]
    table = ["| measure | value | data | script |", "|---|---|---|---|", *rows] if rows else ["No measure is stated."]
    person = card.depicts == NOBODY
    consent = "These weights cannot generate a person." if person else f"They show {card.depicts}. {card.consent}"
    sections = {
        "Purpose": card.purpose,
        "Use": f"```python\n{card.usage.replace('REPO', repo)}\n```",
        "Training data": card.training_data,
        "Recipe": card.recipe,
        "Measures": "\n".join(table),
        "Limits": card.limits,
        "Consent": f"{consent}\n\nEdit only faces that you have permission to edit. Never use a result to deceive.",
        "Licence": f"{licence.spdx}. See LICENSE and NOTICE.",
        "Citation": f"The paper: {PAPER}\n\n```bibtex\n{CITATION}\n```",
        "File": f"`model.safetensors`: {origin['size']} bytes, sha256 `{origin['sha256']}`; published by ASCCL "
        f"{origin['version']}. Loading is strict, and nothing in the file is executed.",
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"---\n{front_matter(card, repo, name, licence)}\n---\n\n# {card.title}\n\n{body}\n"
