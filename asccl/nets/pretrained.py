"""Load and publish networks by the conventions of the Hub's `ModelHubMixin`, strictly.

The methods have the names and keywords of the mixin. They differ in three points: all tensors must fit, the sizes of
the network are in the header of `model.safetensors` (`config.json` repeats them for readers), and a new repository is
private.
`huggingface_hub` is imported only when something is downloaded or uploaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

from asccl import hub, tensor_files
from asccl.errors import WeightsError
from asccl.files import write_atomic
from asccl.nets.blocks import Freezable, saved_tensors, tensor_shapes
from asccl.nets.serialize import serialize
from asccl.version import __version__


class PretrainedNetwork(Freezable):
    """A network with `from_pretrained`, `save_pretrained` and `push_to_hub`.

    Attributes:
        KIND: kind of its files, the entry `kind` of their metadata; empty where the files have none.
        DEPICTS_PERSON: whether the weights can generate the person they were trained on.
        metadata: of the file that it was loaded from.
    """

    KIND: ClassVar[str] = ""
    DEPICTS_PERSON: ClassVar[bool] = False
    metadata: Mapping[str, str] = MappingProxyType({})

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Build the network of a file, with random weights. Raises KeyError, ValueError."""
        del metadata  # a network of one size
        return cls()

    def to_metadata(self) -> dict[str, str]:
        """Return what `from_metadata` needs. Raises ValueError where the network cannot be saved."""
        return {"kind": self.KIND} if self.KIND else {}

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        revision: str | None = None,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> Self:
        """Load a network in evaluation mode, neither frozen nor folded: `train()` makes it trainable.

        Args:
            pretrained_model_name_or_path: "owner/name" of a Hub repository, a folder of `save_pretrained`, or what
                `asccl.hub.resolve` takes.
            revision: commit, tag or branch; a commit never changes.
            force_download: whether to download the file again.
            token: of the Hub; None takes the one of the login, False none.
            cache_dir: folder of the cache.
            local_files_only: whether to use the cache alone.

        Returns:
            The network on the CPU.

        Raises:
            WeightsError: the file is missing, damaged, or for another network.
        """
        options: dict[str, Any] = {
            "force_download": force_download,
            "token": token,
            "local_files_only": local_files_only,
        }
        options |= {"cache_dir": cache_dir, **({} if revision is None else {"revision": revision})}
        source = Path(pretrained_model_name_or_path)
        file = source / hub.REPOSITORY_FILE if source.is_dir() else pretrained_model_name_or_path
        path = hub.resolve(file, download=options)
        metadata = tensor_files.read_metadata(path)
        if cls.KIND and metadata.get("kind") != cls.KIND:
            raise WeightsError(
                f"{path} is of the kind {metadata.get('kind', 'unknown')}, not {cls.KIND}", "give another file"
            )
        try:
            net = cls.from_metadata(metadata)
        except (KeyError, ValueError) as error:
            raise WeightsError(
                f"the metadata of {path} do not describe the network ({error})", "give another file"
            ) from error
        # strict: the file has been compared with the shapes; only the counters of batch normalization may be missing
        net.load_state_dict(tensor_files.load_tensors(path, tensor_shapes(net)), strict=False)
        net.metadata = metadata
        return net.eval()

    def save_pretrained(self, save_directory: str | Path, *, config: Mapping[str, str] | None = None) -> Path:
        """Write `model.safetensors` and `config.json` into a folder, which is created.

        Args:
            save_directory: the folder.
            config: further metadata of the file.

        Returns:
            The folder.

        Raises:
            ValueError: the network cannot be saved.
            OutputError: a file cannot be written.
        """
        folder = Path(save_directory)
        for name, data in self._repository_files(config or {}).items():
            write_atomic(folder / name, data)
        return folder

    def push_to_hub(
        self,
        repo_id: str,
        *,
        config: Mapping[str, str] | None = None,
        commit_message: str = "Push model using asccl",
        private: bool = True,
        token: str | None = None,
        branch: str | None = None,
        create_pr: bool = False,
        consent: str = "",
    ) -> str:
        """Upload the network in one commit. `python -m asccl publish weights` also checks, compares and tags.

        Args:
            repo_id: "owner/name"; created if it does not exist.
            config: further metadata of the file.
            commit_message: of the commit.
            private: whether a new repository is private.
            token: of the Hub; None takes the one of the login.
            branch: to push to; None takes main.
            create_pr: whether to open a pull request instead.
            consent: who agreed to what; required for weights that show a person.

        Returns:
            Address of the commit.

        Raises:
            ValueError: the consent is missing, or the network cannot be saved.
            HfHubHTTPError: the Hub refuses it.
        """
        if self.DEPICTS_PERSON and not consent.strip():
            raise ValueError("expected a note of consent: these weights show the person they were trained on")
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi(token=token)
        repo = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
        files = self._repository_files(config or {})
        if not api.file_exists(repo, "README.md"):
            files["README.md"] = self._short_card(repo, consent).encode()
        additions = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=data) for name, data in files.items()]
        commit = api.create_commit(repo, additions, commit_message=commit_message, revision=branch, create_pr=create_pr)
        return str(commit.pr_url or commit.commit_url)

    def _repository_files(self, config: Mapping[str, str]) -> dict[str, bytes]:
        metadata = {**self.metadata, **config, **self.to_metadata()}
        text = json.dumps({"library_name": "asccl", "asccl_version": __version__, **metadata}, indent=2, sort_keys=True)
        return {
            hub.REPOSITORY_FILE: serialize(saved_tensors(self), metadata),
            "config.json": f"{text}\n".encode(),
        }

    def _short_card(self, repo: str, consent: str) -> str:
        cls = type(self)
        use = f"from {cls.__module__} import {cls.__qualname__}\n\nnet = {cls.__qualname__}.from_pretrained({repo!r})"
        note = f"\n## Consent\n\n{consent}\n" if consent else ""
        return f"---\nlibrary_name: asccl\ntags: [asccl]\n---\n\n# {repo}\n\n```python\n{use}\n```\n{note}"
