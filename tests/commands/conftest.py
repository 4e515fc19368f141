"""Fixtures for the tests of the commands."""

from __future__ import annotations

import pytest

from asccl import Editor


@pytest.fixture
def shared_editor(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> Editor:
    """Let the command use the editor of the tests, so that the networks are loaded once."""
    monkeypatch.setattr("asccl.editing.editor.Editor", lambda device: editor)
    return editor
