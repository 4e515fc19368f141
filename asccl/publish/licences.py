"""Licences that may be published, and the LICENSE and NOTICE files of a repository."""

from __future__ import annotations

import re
from dataclasses import dataclass

from asccl.errors import InputError

HUB_IDS = {
    "Apache-2.0": "apache-2.0",
    "BSD-3-Clause": "bsd-3-clause",
    "CC-BY-4.0": "cc-by-4.0",
    "CC0-1.0": "cc0-1.0",
    "MIT": "mit",
}
CC0_URL = "https://creativecommons.org/publicdomain/zero/1.0/legalcode"
MIT_TITLE = "MIT License\n"
NAME = re.compile(r"[A-Za-z][\w.-]*")
RULE = re.compile(r"^-{40,}$", re.MULTILINE)


@dataclass(frozen=True)
class Licence:
    """The licence of some weights.

    Attributes:
        spdx: as the table of weights states it, for example "MIT (backbone), Apache-2.0 (heads)".
        names: the SPDX names in it.
    """

    spdx: str
    names: tuple[str, ...]

    @property
    def hub_id(self) -> str:
        """The Hub's name of the licence; "other" for more than one."""
        return HUB_IDS[self.names[0]] if len(self.names) == 1 else "other"

    @property
    def hub_name(self) -> str | None:
        """The name beside "other"."""
        return None if len(self.names) == 1 else "-and-".join(HUB_IDS[name] for name in self.names)


def parse_licence(text: str, what: str) -> Licence:
    """Parse "MIT" or "MIT (backbone), Apache-2.0 (heads)". Raises InputError where a licence is unknown or missing.

    text: the licence. what: the weights, for the error.
    """
    parts = [re.sub(r"\(.*?\)", "", part).strip() for part in text.split(",")]
    unknown = [part for part in parts if part not in HUB_IDS]
    if unknown:
        stated = f"the licence {unknown[0]!r}" if unknown[0] else "no licence"
        raise InputError(
            f"{what} has {stated}, which this command does not publish",
            f"state one of {', '.join(HUB_IDS)} if it is true, and publish nothing otherwise",
        )
    return Licence(text, tuple(dict.fromkeys(parts)))


def licence_text(licence: Licence, copyright_lines: tuple[str, ...], apache: str, notice: str) -> str:
    """Write the LICENSE file.

    Args:
        licence: of the weights.
        copyright_lines: "Copyright (c) ..." of each holder.
        apache: text of the Apache License.
        notice: this project's NOTICE, whose last part is the MIT License.
    """
    holders = "\n".join(copyright_lines)
    mit = notice[notice.index(MIT_TITLE) + len(MIT_TITLE) :].strip()
    texts = {
        "Apache-2.0": apache.strip(),
        "MIT": f"{MIT_TITLE}\n{holders}\n\n{mit}",
        "CC0-1.0": f"CC0 1.0 Universal, no rights reserved: {CC0_URL}",
    }
    parts = [texts.get(name, f"{name}: https://spdx.org/licenses/{name}.html\n\n{holders}") for name in licence.names]
    heading = [f"{licence.spdx}\n"] if len(parts) > 1 else []
    return f"\n{'-' * 80}\n\n".join([*heading, *(f"{part}\n" for part in parts)])


def notice_text(notice: str, file: str) -> str:
    """Write the NOTICE file: the heading of this project's, and its paragraphs about one file of `checkpoints/`."""
    paragraphs = RULE.split(notice)[0].strip().split("\n\n")
    heading = [p for p in paragraphs[:2] if "checkpoints/" not in p]
    about = [p.replace(", below", ", see LICENSE") for p in paragraphs if f"checkpoints/{file}" in p.partition("\n")[0]]
    return "\n\n".join([*heading, *about]) + "\n"
