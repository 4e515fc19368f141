"""`asccl publish`: upload weights or the app to the Hugging Face Hub, from a clean checkout."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from asccl.publish.upload import Upload
    from asccl.publish.weights import Weights

SUMMARY = """\
Upload weights or the app to the Hugging Face Hub. Without --yes nothing is sent: the command lists files, sizes and
licences. The token is that of `hf auth login`, or HF_TOKEN. A repository is created privately, filled in one commit,
downloaded again and compared, tagged, and made public last. docs/publish.md has the steps to a public Space.
`release` uploads nothing: it makes the commit, the tag and the distributions of a version on this machine.
"""
EXAMPLES = """\
examples:
  %(prog)s weights                                    # what would be uploaded
  %(prog)s weights --repo me/asccl --yes              # me/asccl-scc-mobilefacenet and so on
  %(prog)s weights scc-mobilefacenet --repo me/scc --yes
  %(prog)s weights mine.safetensors --card mine.toml --repo me/mine --private --yes
  %(prog)s space --repo me/asccl --study me/votes --yes
  %(prog)s release 1.0.2                              # commit, tag, distributions; docs/release.md
"""
DRY_RUN = "Nothing was uploaded. Add --yes to upload."
RELEASE_DRY_RUN = "Nothing was changed. Add --yes to commit, tag and build."
UNKNOWN_OWNER = "OWNER"
DEFAULT_NAME = "asccl"


def _add_command(commands: argparse._SubParsersAction, name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command `publish` and its own commands."""
    parser = subparsers.add_parser(
        "publish", help="upload weights or the app to the Hub", description=SUMMARY, epilog=EXAMPLES
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    weights = _add_command(commands, "weights", "upload each file of weights into a model repository of its own")
    weights.add_argument("sources", nargs="*", metavar="NAME|FILE", help="default: all bundled weights")
    weights.add_argument("--card", type=Path, metavar="FILE.toml", help="model card of a file of your own")
    weights.add_argument("--private", action="store_true", help="do not make it public in the end")
    weights.set_defaults(run=run_weights)
    space = _add_command(commands, "space", "upload the app as a Gradio Space")
    space.add_argument(
        "--hardware", default="zero-a10g", metavar="NAME", help="the Hub's name of it; default: zero-a10g (ZeroGPU)"
    )
    space.add_argument("--study", metavar="OWNER/NAME", help="private data set for the backups of user studies")
    space.add_argument("--private", action="store_true", help="do not make it public in the end")
    space.set_defaults(run=run_space)
    release = _add_command(commands, "release", "make commit, tag and distributions of a version on this machine")
    release.add_argument("version", metavar="VERSION", help="three numbers, above the last tag")
    release.set_defaults(run=run_release)
    for command in (weights, space):
        command.add_argument("--repo", metavar="OWNER/NAME", help="of the repository; default: asccl of your account")
        command.add_argument("--tag", metavar="NAME", help="of the commit; default: the version, such as v1.0.0")
    for command, meaning in ((weights, "upload"), (space, "upload"), (release, "commit, tag and build")):
        command.add_argument("--yes", action="store_true", help=meaning)
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")


def run_weights(arguments: argparse.Namespace) -> int:
    """List or publish weights. Returns the exit status."""
    from asccl.publish import checkout
    from asccl.publish.weights import build_upload, find_weights

    checkout.check_clean(checkout.PROJECT)
    weights = find_weights(arguments.sources, arguments.card)
    api, repo = _connect(arguments)
    repos = [repo if len(weights) == 1 and arguments.repo else f"{repo}-{entry.name}" for entry in weights]
    uploads = [build_upload(entry, name, checkout.PROJECT) for entry, name in zip(weights, repos, strict=True)]
    for upload in uploads:
        _print_files(upload, upload.sizes(), arguments.private)
    if not arguments.yes:
        _print_table_change(weights, {entry.name: (name, "COMMIT") for entry, name in zip(weights, repos, strict=True)})
        print(DRY_RUN)
        return 0
    for entry, upload in zip(weights, uploads, strict=True):
        _publish_weights(api, entry, upload, arguments)
    return 0


def run_space(arguments: argparse.Namespace) -> int:
    """List or publish the app. Returns the exit status."""
    from asccl.publish import checkout
    from asccl.publish.space import build_space, configure_space, study_settings, wait_until_running
    from asccl.publish.upload import create_repository, make_public, publish

    checkout.check_clean(checkout.PROJECT)
    api, repo = _connect(arguments)
    upload = build_space(repo, arguments.hardware, checkout.PROJECT)
    settings = study_settings(repo, arguments.hardware, arguments.study, os.environ)
    _print_files(upload, _sizes_by_folder(upload), arguments.private)
    names = [*(f"{name}={value}" for name, value in settings.variables.items()), *settings.secrets]
    print(f"  hardware {settings.hardware}; variables and secrets: {', '.join(names)}")
    if not arguments.yes:
        print(DRY_RUN)
        return 0
    create_repository(api, upload, print)
    configure_space(api, repo, settings, print)
    revision = publish(api, upload, _tag(arguments), print)
    wait_until_running(api, repo, revision, print)
    if not arguments.private:
        make_public(api, upload, print)
    print(f"https://huggingface.co/spaces/{repo}")
    return 0


def run_release(arguments: argparse.Namespace) -> int:
    """List or make a release. Returns the exit status."""
    from datetime import date

    from asccl.publish import checkout
    from asccl.publish.release import make_release, plan_release
    from asccl.publish.table import format_diff

    release = plan_release(checkout.PROJECT, arguments.version, date.today())
    for name, text in release.new.items():
        print(format_diff(release.old[name], text, name), end="")
    if not arguments.yes:
        print(RELEASE_DRY_RUN)
        return 0
    make_release(checkout.PROJECT, release, print)
    print(f"Nothing was uploaded. The next step: git push origin {checkout.MAIN_BRANCH} {release.tag}")
    return 0


def _connect(arguments: argparse.Namespace) -> tuple[HfApi, str]:
    """Return the client and the repository; a dry run needs no account. Raises SettingError, PublishError."""
    from huggingface_hub import HfApi

    from asccl.errors import SettingError
    from asccl.hub import REPOSITORY
    from asccl.publish.upload import account_name

    if arguments.repo and not REPOSITORY.fullmatch(arguments.repo):
        raise SettingError(f"{arguments.repo} is not the name of a repository", "give OWNER/NAME")
    api = HfApi()
    owner = account_name(api) if arguments.yes else UNKNOWN_OWNER
    return api, arguments.repo or f"{owner}/{DEFAULT_NAME}"


def _publish_weights(api: HfApi, weights: Weights, upload: Upload, arguments: argparse.Namespace) -> None:
    """Publish one file, and name its repository in the table."""
    from asccl.publish.upload import create_repository, make_public, publish

    create_repository(api, upload, print)
    revision = publish(api, upload, _tag(arguments), print)
    if not arguments.private:
        make_public(api, upload, print)
        _print_table_change([weights], {weights.name: (upload.repo, revision)}, write=True)
    print(f"https://huggingface.co/{upload.repo}")


def _print_table_change(
    weights: list[Weights], repositories: dict[str, tuple[str, str]], *, write: bool = False
) -> None:
    """Print how the table of weights changes, and change it if `write`. Private repositories do not enter it."""
    from asccl.files import write_atomic
    from asccl.publish import checkout
    from asccl.publish.table import format_diff, set_repository

    path = checkout.PROJECT / "asccl" / "hub.py"
    old = new = path.read_text(encoding="utf-8")
    for entry in weights:
        if entry.is_bundled:
            new = set_repository(new, entry.name, *repositories[entry.name])
    print(format_diff(old, new), end="")
    if write and new != old:
        write_atomic(path, new.encode())
        print("asccl/hub.py was changed: commit it")


def _print_files(upload: Upload, sizes: dict[str, int], private: bool) -> None:
    """Print the destination of an upload, and its files with their sizes."""
    kind = "private" if private else "private, public in the end"
    print(f"{upload.kind} {upload.repo} ({kind}); licence: {upload.licence}")
    for name, size in sizes.items():
        print(f"  {size:>10,}  {name}")


def _sizes_by_folder(upload: Upload) -> dict[str, int]:
    """Sum the sizes of the files of each folder; the name states their number."""
    sizes, counts = Counter[str](), Counter[str]()
    for name, size in upload.sizes().items():
        folder, slash, _ = name.partition("/")
        sizes[folder + slash] += size
        counts[folder + slash] += 1
    return {f"{name} ({counts[name]} files)" if name.endswith("/") else name: size for name, size in sizes.items()}


def _tag(arguments: argparse.Namespace) -> str:
    from asccl import __version__

    return arguments.tag or f"v{__version__}"
