"""Files that `import-weights` refuses, and its help."""

from __future__ import annotations

import torch
from official import save_checkpoint

from asccl.interop.kinds import KINDS


class Malicious:
    def __reduce__(self):
        return print, ("this ran",)


def test_what_is_refused(small_net, authors_file, tmp_path, run_import):
    def refused(status: int, words: str, *arguments: object) -> None:
        before = {path.name for path in tmp_path.iterdir()}
        actual, output = run_import(*arguments)
        assert actual == status, output
        assert words in output
        assert output.count("\n") == 1, output
        assert "this ran" not in output
        assert {path.name for path in tmp_path.iterdir()} == before

    out = ("-o", tmp_path / "out.safetensors")
    state = dict(small_net.state_dict())
    plain = save_checkpoint(state, tmp_path / "plain.pth")
    refused(2, "there is no kind 'acrface': choose one of scc, arcface", "acrface", plain, *out)
    refused(2, "does not end in .safetensors: name it x.safetensors", "arcface", plain, "-o", tmp_path / "x.pth")
    refused(2, "arguments are required: -o", "arcface", plain)
    refused(3, "is missing", "arcface", tmp_path / "none.pth", *out)
    refused(3, "is a folder", "arcface", tmp_path, *out)
    refused(3, "looks like the kind scc, not arcface: run `import-weights scc`", "arcface", authors_file, *out)
    refused(3, "looks like the kind arcface, not scc", "scc", plain, *out)
    refused(1, "does not exist", "arcface", plain, "-o", tmp_path / "no" / "out.safetensors")
    malicious = save_checkpoint({"conv1.weight": Malicious()}, tmp_path / "malicious.pth")
    refused(3, "contains more than tensors, and loading that could execute any program", "arcface", malicious, *out)
    nested = save_checkpoint({"generator": state, "step": 3}, tmp_path / "nested.pth")
    refused(3, "it contains generator, step): save that alone", "arcface", nested, *out)
    cut = tmp_path / "cut.pth"
    for size in (0, 5, 1000, plain.stat().st_size - 100):
        cut.write_bytes(plain.read_bytes()[:size])
        refused(3, "cut.pth is", "arcface", cut, *out)
    wrong = {"layer1.0.conv1.weight": torch.zeros(64, 64, 1, 1)}
    reshaped = save_checkpoint(state | wrong, tmp_path / "shape.pth")
    refused(3, "layer1.0.conv1.weight is (64, 64, 1, 1), not (64, 64, 3, 3)", "arcface", reshaped, *out)
    more = save_checkpoint(state | {"layer5.weight": torch.zeros(1)}, tmp_path / "more.pth")
    refused(3, "missing nothing, unexpected layer5.weight", "arcface", more, *out)
    lacking = save_checkpoint(
        {name: value for name, value in state.items() if name != "prelu.weight"}, tmp_path / "less.pth"
    )
    refused(3, "missing prelu.weight, unexpected nothing", "arcface", lacking, *out)
    not_finite = save_checkpoint(state | {"prelu.weight": torch.full((64,), torch.nan)}, tmp_path / "nan.pth")
    refused(3, "prelu.weight has values that are not finite", "arcface", not_finite, *out)


def test_the_help_lists_all_kinds(run_import):
    status, output = run_import("--help")
    assert status == 0
    assert all(f"  {name} " in output for name in KINDS)
