"""Which files make the repository of some weights."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asccl import hub, tensor_files
from asccl.errors import InputError, SettingError
from asccl.publish.cards import CARDS_FOLDER, NOBODY, Card, read_card, render_card
from asccl.publish.licences import Licence, licence_text, notice_text, parse_licence
from asccl.publish.upload import Upload
from asccl.version import __version__

PERSONAL_KINDS = frozenset({"ned-renderer", "ned-discriminator"})  # weights that show the person they were trained on
MIN_CONSENT_WORDS = 5


@dataclass(frozen=True)
class Weights:
    """Weights to publish.

    Attributes:
        name: of the bundled file, or of the user's file.
        path: the file.
        card: what the model card says.
        licence: of the weights.
        is_bundled: whether the table of `asccl/hub.py` has the file.
    """

    name: str
    path: Path
    card: Card
    licence: Licence
    is_bundled: bool


def find_weights(sources: Sequence[str], card_file: Path | None = None) -> list[Weights]:
    """Check the weights that are to be published.

    Args:
        sources: names of `asccl.hub.WEIGHTS` or one file of one's own; none takes all bundled files.
        card_file: the card of that file.

    Returns:
        The weights.

    Raises:
        SettingError: a file without a card, or a card without a file.
        InputError: the licence is unknown, or there is no consent to weights of a person.
        WeightsError: a file is missing or has another sha256.
    """
    names = list(sources) or list(hub.WEIGHTS)
    own = [name for name in names if name not in hub.WEIGHTS]
    if own and card_file is None:
        raise SettingError(
            f"{own[0]} has no model card", "write one and give it with --card FILE.toml; docs/publish.md"
        )
    if card_file is not None and len(own) != 1:
        raise SettingError("--card belongs to one file of your own", "name that file alone")
    return [_own_weights(name, card_file) if name in own and card_file else _bundled_weights(name) for name in names]


def build_upload(weights: Weights, repo: str, root: Path) -> Upload:
    """Build the files of the repository of some weights.

    Args:
        weights: to publish.
        repo: "owner/name".
        root: the checkout.

    Returns:
        The upload: model.safetensors, config.json, README.md, LICENSE, NOTICE.
    """
    sha256, size = hub.sha256(weights.path), weights.path.stat().st_size
    notice = (root / "NOTICE").read_text(encoding="utf-8")
    apache = (root / "LICENSE").read_text(encoding="utf-8")
    origin = {"sha256": sha256, "size": size, "version": __version__}
    config = {
        "library_name": "asccl",
        "name": weights.name,
        "asccl_version": __version__,
        "sha256": sha256,
        **tensor_files.read_metadata(weights.path),
    }
    texts = {
        "config.json": json.dumps(config, indent=2, sort_keys=True) + "\n",
        "README.md": render_card(weights.card, repo, weights.name, weights.licence, origin),
        "LICENSE": licence_text(weights.licence, weights.card.copyright, apache, notice),
        "NOTICE": notice_text(notice, weights.path.name),
    }
    files: dict[str, bytes | Path] = {
        hub.REPOSITORY_FILE: weights.path,
        **{name: text.encode() for name, text in texts.items()},
    }
    return Upload(repo, "model", files, weights.licence.spdx, ("config.json", f'"name": "{weights.name}"'))


def _bundled_weights(name: str) -> Weights:
    entry = hub.WEIGHTS[name]
    path = CARDS_FOLDER / f"{name}.toml"
    if not path.is_file():
        raise InputError(f"{name} has no model card", f"write asccl/publish/cards/{path.name}; docs/publish.md")
    card = read_card(path)
    licence = parse_licence(card.licence or entry.licence, name)
    return _checked(Weights(name, hub.locate(name), card, licence, is_bundled=True))


def _own_weights(source: str, card_file: Path) -> Weights:
    path, card = Path(source), read_card(card_file)
    if not path.is_file():
        raise SettingError(f"there is no file {source}", f"give a file, or a name of {', '.join(hub.WEIGHTS)}")
    if "origin_sha256" in tensor_files.read_metadata(path):
        raise InputError(
            f"{source} was converted from a checkpoint of other people", "ask its authors to publish it, not you"
        )
    licence = parse_licence(card.licence, str(card_file))
    return _checked(Weights(path.stem, path, card, licence, is_bundled=False))


def _checked(weights: Weights) -> Weights:
    """Return the weights. Raises InputError where weights of a person have no note of that person's consent."""
    card, kind = weights.card, tensor_files.read_metadata(weights.path).get("kind")
    if kind in PERSONAL_KINDS and card.depicts == NOBODY:
        raise InputError(
            f"{weights.path.name} is a {kind}, which shows the person it was trained on",
            "name that person under `depicts` of the card, with a note under `consent`",
        )
    if card.depicts != NOBODY and len(card.consent.split()) < MIN_CONSENT_WORDS:
        raise InputError(
            f"{weights.path.name} shows {card.depicts}, and its card has no note of consent",
            "state under `consent` who agreed to what, when, and where that is kept",
        )
    return weights
