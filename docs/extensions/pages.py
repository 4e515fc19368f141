"""MkDocs hook: pages whose source lies outside of docs/, so that every text exists once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = {
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "checkpoints.md": "checkpoints/README.md",
}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of `PAGES` to the site."""
    for name, source in PAGES.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Rewrite links between these pages and docs/ to the places that they have on the site."""
    for name, source in PAGES.items():
        markdown = re.sub(rf"\]\((?:\.\./)?{re.escape(source)}(#[\w-]+)?\)", rf"]({name}\1)", markdown)
    return re.sub(r"\]\((?:\.\./)?docs/([\w./-]+)", r"](\1", markdown)
