"""Which files, settings and secrets make a Space of the app."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asccl import hub
from asccl.errors import InputError, PublishError, SettingError
from asccl.publish.checkout import tracked_files
from asccl.publish.licences import parse_licence
from asccl.publish.upload import Print, Upload, hub_errors

if TYPE_CHECKING:
    from huggingface_hub import HfApi

ZERO_GPU = "zero-a10g"  # the Hub's name of ZeroGPU, whatever the card is today
PYTHON_VERSION = "3.12"  # ZeroGPU has 3.10 and 3.12
TORCH_REQUIREMENT = "torch>=2.9,<2.12"  # ZeroGPU has 2.8 to 2.11
CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"  # without 4 GB of GPU libraries
FOLDERS = ("asccl", "checkpoints", "docs", "examples")
FILES = ("CHANGELOG.md", "CITATION.cff", "LICENSE", "NOTICE", "README.md", "app.py", "packages.txt", "requirements.txt")
SECRET_VARIABLE, TOKEN_VARIABLE = "ASCCL_STUDY_SECRET", "ASCCL_SPACE_TOKEN"  # of the publisher's environment
MIN_SECRET_LENGTH = 12
FAILED_STAGES = ("BUILD_ERROR", "CONFIG_ERROR", "NO_APP_FILE", "RUNTIME_ERROR")
MAX_BUILD_SECONDS = 2400.0
POLL_SECONDS = 15.0


@dataclass(frozen=True)
class SpaceSettings:
    """Settings of a Space beside its files.

    Attributes:
        hardware: the Hub's name of it.
        variables: public, by name.
        secrets: by name; never printed.
        dataset: private data set of the backups of the study store; None without studies.
    """

    hardware: str
    variables: Mapping[str, str]
    secrets: Mapping[str, str]
    dataset: str | None


def study_settings(repo: str, hardware: str, dataset: str | None, environment: Mapping[str, str]) -> SpaceSettings:
    """Collect variables and secrets of the study store.

    Args:
        repo: "owner/name" of the Space.
        hardware: the Hub's name of it.
        dataset: private data set of the backups; None without studies.
        environment: of the publisher; the secrets are in it.

    Returns:
        The settings.

    Raises:
        SettingError: a secret is missing or too short.
    """
    variables = {"GRADIO_ANALYTICS_ENABLED": "False", "ASCCL_STUDY_URL": space_address(repo)}
    if dataset is None:
        return SpaceSettings(hardware, variables, {}, None)
    secret, token = environment.get(SECRET_VARIABLE, ""), environment.get(TOKEN_VARIABLE, "")
    if len(secret) < MIN_SECRET_LENGTH:
        raise SettingError(
            f"a study needs an administrator's secret of at least {MIN_SECRET_LENGTH} characters",
            f"set {SECRET_VARIABLE} in the environment of this command",
        )
    if not token:
        raise SettingError(
            f"the Space needs a token that may write to {dataset} and nothing else",
            f"create a fine-grained one and set {TOKEN_VARIABLE} in the environment of this command",
        )
    secrets = {SECRET_VARIABLE: secret, "HF_TOKEN": token}
    return SpaceSettings(hardware, {**variables, "ASCCL_STUDY_MIRROR": dataset}, secrets, dataset)


def space_address(repo: str) -> str:
    """Return the address of the app of a Space."""
    return f"https://{re.sub(r'[^a-z0-9]+', '-', repo.lower())}.hf.space"


def build_space(repo: str, hardware: str, root: Path) -> Upload:
    """Collect the files of a Space: tracked files that the app needs, with the settings of the Hub.

    Args:
        repo: "owner/name".
        hardware: the Hub's name of it.
        root: the checkout.

    Returns:
        The upload. Weights that are published are not in it: the Hub loads them while it builds the Space.

    Raises:
        InputError: no checkout, or weights with an unknown licence.
    """
    preloaded = {f"checkpoints/{entry.file}" for entry in hub.WEIGHTS.values() if entry.repo and entry.revision}
    for entry in hub.WEIGHTS.values():
        parse_licence(entry.licence, entry.name)
    files: dict[str, bytes | Path] = {
        name: root / name
        for name in tracked_files(root)
        if (name in FILES or (name.partition("/")[0] in FOLDERS and "/" in name)) and name not in preloaded
    }
    if missing := [name for name in FILES if name not in files]:
        raise InputError(f"{missing[0]} is not tracked in {root}", "restore it")
    readme, requirements = (root / name for name in ("README.md", "requirements.txt"))
    files["README.md"] = space_readme(readme.read_text(encoding="utf-8"), hardware).encode()
    files["requirements.txt"] = space_requirements(requirements.read_text(encoding="utf-8"), hardware).encode()
    settings = {"space_sdk": "gradio", "space_hardware": hardware}
    return Upload(repo, "space", files, "Apache-2.0; others in NOTICE", ("asccl/version.py", "__version__"), settings)


def space_readme(readme: str, hardware: str) -> str:
    """Return the README with the front matter of a Space. Raises InputError where it has none."""
    import yaml

    match = re.match(r"---\n(.*?)\n---\n", readme, re.DOTALL)
    if match is None:
        raise InputError("README.md has no front matter", "restore the block between --- at its start")
    published = [entry for entry in hub.WEIGHTS.values() if entry.repo and entry.revision]
    matter: dict[str, Any] = {**yaml.safe_load(match[1]), "python_version": PYTHON_VERSION}
    matter["suggested_hardware"] = hardware
    if published:
        matter["models"] = [entry.repo for entry in published]
        matter["preload_from_hub"] = [f"{e.repo} {hub.REPOSITORY_FILE} {e.revision}" for e in published]
    text = yaml.safe_dump(matter, sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n{readme[match.end() :]}"


def space_requirements(requirements: str, hardware: str) -> str:
    """Return the requirements with PyTorch's versions of ZeroGPU, and its CPU build where there is no GPU.

    Raises InputError where PyTorch is not required.
    """
    text, count = re.subn(r"^torch\b.*$", TORCH_REQUIREMENT, requirements, flags=re.MULTILINE)
    if count != 1:
        raise InputError("requirements.txt does not name torch once", "restore it")
    return f"{CPU_INDEX}\n{text}" if hardware.startswith("cpu-") else text


def configure_space(api: HfApi, repo: str, settings: SpaceSettings, report: Print) -> None:
    """Create the private data set of the studies, and set variables and secrets.

    Args:
        api: client of the Hub.
        repo: "owner/name" of the Space.
        settings: to set.
        report: receives a line for each step.

    Raises:
        PublishError: the Hub refuses it, or the data set is public.
    """
    if settings.dataset is not None:
        with hub_errors(settings.dataset):
            api.create_repo(settings.dataset, repo_type="dataset", private=True, exist_ok=True)
            if not api.repo_info(settings.dataset, repo_type="dataset").private:
                raise PublishError(
                    f"the data set {settings.dataset} is public, and backups of studies contain the key of all links",
                    "make it private, or name another",
                )
        report(f"{settings.dataset}: private data set for the backups of studies")
    with hub_errors(repo):
        for name, value in settings.variables.items():
            api.add_space_variable(repo, name, value)
        for name, value in settings.secrets.items():
            api.add_space_secret(repo, name, value)
    names = [*settings.variables, *(f"{name} (secret)" for name in settings.secrets)]
    report(f"{repo}: set {', '.join(names)}")


def wait_until_running(api: HfApi, repo: str, revision: str, report: Print) -> None:
    """Wait until the Space serves a commit.

    Args:
        api: client of the Hub.
        repo: "owner/name" of the Space.
        revision: the commit.
        report: receives a line for each new stage.

    Raises:
        PublishError: it cannot be built or started, or takes too long.
    """
    stage, deadline = "", time.monotonic() + MAX_BUILD_SECONDS
    logs = f"read its logs on https://huggingface.co/spaces/{repo}?logs=build; it is still private"
    while time.monotonic() < deadline:
        with hub_errors(repo):
            runtime = api.get_space_runtime(repo)
        if runtime.stage != stage:
            stage = str(runtime.stage)
            report(f"{repo}: {stage.lower().replace('_', ' ')}")
        if stage in FAILED_STAGES:
            raise PublishError(f"the Space {repo} stopped with {stage}", logs)
        if stage == "RUNNING" and runtime.raw.get("sha") in (None, revision):
            return
        time.sleep(POLL_SECONDS)
    raise PublishError(f"the Space {repo} does not run after {MAX_BUILD_SECONDS / 60:.0f} minutes", logs)
