"""Fixtures of all tests."""

import os
import tempfile

import pytest
from browser import chromium  # noqa: F401
from media import clip, editor, short_clip, still, temporary  # noqa: F401


def pytest_configure(config: pytest.Config) -> None:
    """Keep the signing key of the tests, and of the programs that they start, away from that of the user.

    The Hub of tests is on this machine, and answers late only where the machine is busy.
    """
    os.environ |= dict.fromkeys(("HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT"), "60")
    folder = tempfile.TemporaryDirectory(prefix="asccl-config-")
    config.add_cleanup(folder.cleanup)
    os.environ["XDG_CONFIG_HOME"] = folder.name
    for name in ("ASCCL_C2PA_CERT", "ASCCL_C2PA_KEY"):
        os.environ.pop(name, None)
