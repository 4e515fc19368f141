"""Small text files that people write or exchange: keyframes and saved presets."""

from __future__ import annotations

from pathlib import Path

from asccl.errors import SettingError


def read_text_file(path: Path, max_bytes: int, content: str, remedy: str) -> str:
    """Read a text file.

    Args:
        path: of the file.
        max_bytes: of the file.
        content: what it is to contain, for errors.
        remedy: what to do about a file that contains something else.

    Raises:
        SettingError: the file is too large, or no text, or cannot be read; the error names it.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise SettingError(f"{path.name} is too large for {content}", remedy)
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingError(f"{path.name} cannot be read ({error.strerror})", "check its name") from None
    except UnicodeDecodeError:
        raise SettingError(f"{path.name} contains no text and is not {content}", remedy) from None
