"""Sections of `python -m benchmarks gpu`: each prints its rows as one line of JSON.

loss                  one step of the ASCCL loss at 224 pixels on IResNet-50, fp32 and bfloat16, beside the plain code
renderer-inference    NED's renderer in its published size at 256 pixels
metric                a training step of the preset `paper` of the metric: 224 pixels, the backbone trains too
renderer-training     the preset `paper` without VGG-19, on the prepared clip, for the seconds that are left
icface                the preset `paper` of ICface, 128 pixels, without VGG-19, on synthetic people, likewise
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.utils.benchmark import Timer

from benchmarks import asccl_loss
from benchmarks.gpu import Rows
from training import train_icface, train_metric, train_renderer
from training.engine.settings import LoopSettings, parse_settings

MIN_SECONDS = 1.0  # of a timing
PILOT_STEPS, TINY_PILOT_STEPS = 24, 2  # of a short training that measures the time of a step
SHORT_EMA_DECAY = 0.98  # of trainings of minutes; that of `paper` would average the initial weights in
FINAL_SHARE = 0.8  # of the seconds that are left after it
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def autocast(device: str, precision: str) -> torch.autocast:
    """Return the context of a precision of `PRECISIONS`."""
    return torch.autocast(device.split(":")[0], PRECISIONS[precision], enabled=precision != "fp32")


def measure_step(work: Callable[[], object], device: str) -> tuple[float, float]:
    """Measure a function after two calls that warm up.

    Args:
        work: the function.
        device: it computes on.

    Returns:
        Median seconds of a call, and GiB at the peak (NaN on a CPU).

    Raises:
        OutOfMemoryError: the device has too little memory.
    """
    on_gpu = device.startswith("cuda")
    for _ in range(2):
        work()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    seconds = (
        Timer("work()", globals={"work": work}).blocked_autorange(min_run_time=MIN_SECONDS if on_gpu else 0).median
    )
    return seconds, torch.cuda.max_memory_allocated() / 2**30 if on_gpu else float("nan")


def measure_rows(label: str, work: Callable[[], object], device: str, items: int, unit: str) -> Rows:
    """Measure a function as rows: milliseconds, items per second and memory.

    Args:
        label: of the rows.
        work: the function.
        device: it computes on.
        items: that a call processes.
        unit: name of an item.
    """
    try:
        seconds, memory = measure_step(work, device)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return {label: "out of memory"}
    rows: Rows = {f"{label}: ms": 1e3 * seconds, f"{label}: {unit} per second": items / seconds}
    return rows | ({f"{label}: GiB": memory} if memory == memory else {})


def measure_loss(options: argparse.Namespace) -> Rows:
    """Measure forward and backward passes of the ASCCL loss, of the plain code and of the backbone alone."""
    rows: Rows = {}
    size, depth, batches = (32, 18, (1,)) if options.tiny else (224, 50, (8, 32, 128))
    for variant in ("loss", "plain", "backbone"):
        metric = asccl_loss.build_metric(variant, depth).to(options.device)
        for batch in batches:
            source, generated = (x.to(options.device) for x in asccl_loss.random_images(batch, size))
            for precision in PRECISIONS:

                def step(precision=precision, metric=metric, variant=variant, source=source, generated=generated):
                    with autocast(options.device, precision):
                        metric.zero_grad(set_to_none=True)
                        asccl_loss.run_step(variant, metric, source, generated)

                rows |= measure_rows(f"{variant}, batch {batch}, {precision}", step, options.device, batch, "images")
    return rows


def measure_renderer_inference(options: argparse.Namespace) -> Rows:
    """Measure the generator of NED's second stage frame by frame, as in an edit, and in batches."""
    from asccl.nets.ned_renderer import INPUT_CHANNELS, INPUT_FRAMES, PREVIOUS_FRAMES, NedGenerator, RendererSizes

    sizes = RendererSizes(ngf=4, downsamplings=2, blocks=2) if options.tiny else RendererSizes()
    side = 32 if options.tiny else 256
    generator = NedGenerator(sizes).freeze().to(options.device)
    rows: Rows = {}
    for batch in (1, 8):
        conditions = torch.rand(batch, INPUT_FRAMES * INPUT_CHANNELS, side, side, device=options.device)
        previous = torch.rand(batch, PREVIOUS_FRAMES * 3, side, side, device=options.device)
        for precision in PRECISIONS:

            def step(precision=precision, conditions=conditions, previous=previous):
                with torch.inference_mode(), autocast(options.device, precision):
                    generator(conditions, previous)

            label = f"renderer at {side} px, {batch} at a time, {precision}"
            rows |= measure_rows(label, step, options.device, batch, "frames")
    return rows


def train_for_seconds(
    main: Callable, settings: LoopSettings, seconds: float, pilot_steps: int
) -> tuple[Rows, list[dict[str, float]]]:
    """Run a training for about so many seconds: a short run measures the time of a step, a second one trains.

    Args:
        main: of the training script.
        settings: of the training; steps and the intervals are replaced.
        seconds: for both.
        pilot_steps: of the short run.

    Returns:
        Rows, and the lines of the log of the second run.
    """
    begin = time.monotonic()
    step_seconds, _ = _train(main, settings, pilot_steps)
    elapsed = time.monotonic() - begin
    start_seconds = elapsed - pilot_steps * step_seconds
    left = FINAL_SHARE * (seconds - elapsed) - start_seconds
    steps = max(pilot_steps, int(left / step_seconds))
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    begin = time.monotonic()
    step_seconds, log = _train(main, settings, steps)
    rows: Rows = {"steps": float(steps), "ms per step": 1e3 * step_seconds, "seconds": time.monotonic() - begin}
    if torch.cuda.is_available():
        rows["GiB"] = torch.cuda.max_memory_allocated() / 2**30
    return rows, log


def _train(main: Callable, settings: LoopSettings, steps: int) -> tuple[float, list[dict[str, float]]]:
    """Train; return the seconds of a step, over the second half of them, and the lines of the log."""
    shutil.rmtree(settings.output, ignore_errors=True)
    updates: list[float] = []  # times; a step has one for each of its optimizers
    hook = register_optimizer_step_post_hook(lambda *_: updates.append(time.monotonic()))
    try:
        main(replace(settings, steps=steps, evaluate_every=steps, save_every=steps))
    finally:
        hook.remove()
    ends = updates[len(updates) // steps - 1 :: len(updates) // steps]
    half = steps // 2
    lines = (settings.output / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return (ends[-1] - ends[half - 1]) / (steps - half), [json.loads(line) for line in lines]


def train_renderer_on_clip(options: argparse.Namespace) -> Rows:
    """Train a renderer with ASCCL on the prepared clip, and compare it with the untrained one on held-out frames."""
    prepared = options.inputs.is_dir()
    arguments = ["--preset", "smoke" if options.tiny else "paper", "--vgg-weight=0", "--vgg=", "--pixels-weight=20"]
    arguments += [f"--output={options.output / 'renderer'}", f"--weights={options.output / 'renderer.safetensors'}"]
    arguments += ["--asccl-weight=1"] + [f"--data={options.inputs}"] * prepared
    settings = parse_settings(train_renderer.RendererSettings, None, arguments)
    pilot_steps = TINY_PILOT_STEPS if options.tiny else PILOT_STEPS
    rows, log = train_for_seconds(train_renderer.main, settings, options.seconds, pilot_steps)
    rows["speaker"] = "prepared clip" if prepared else "synthetic"
    _add_evaluations(rows, log, ("psnr", "mouth_psnr", "distance"))
    _copy_sample(settings.output, options.output / "renderer.png")
    return {f"renderer training, {name}": value for name, value in rows.items()}


def train_icface_on_synthetic_people(options: argparse.Namespace) -> Rows:
    """Train ICface with ASCCL on synthetic people, and compare it with the untrained networks on other people."""
    arguments = ["--preset", "smoke" if options.tiny else "paper", "--vgg-weight=0", "--vgg="]
    arguments += [f"--output={options.output / 'icface'}", f"--weights={options.output / 'icface.safetensors'}"]
    arguments += ["--log-every=20", f"--ema-decay={SHORT_EMA_DECAY}"]
    arguments += ["--synthetic-people=32", "--held-out-people=2"] * (not options.tiny)
    settings = parse_settings(train_icface.IcfaceTrainingSettings, None, arguments)
    pilot_steps = TINY_PILOT_STEPS if options.tiny else PILOT_STEPS
    rows, log = train_for_seconds(train_icface.main, settings, options.seconds, pilot_steps)
    rows["pairs per second"] = settings.batch_size / (float(rows["ms per step"]) / 1e3)
    _add_evaluations(rows, log, [name for name in log[0] if name.endswith("/psnr")])
    _copy_sample(settings.output, options.output / "icface.png")
    return {f"icface training, {name}": value for name, value in rows.items()}


def _add_evaluations(rows: Rows, log: list[dict[str, float]], names: Sequence[str]) -> None:
    """Add rows of the first and the last evaluation of a log."""
    evaluations = [line for line in log if names[0] in line]
    for name in names:
        rows[f"{name} before"], rows[f"{name} after"] = evaluations[0][name], evaluations[-1][name]


def _copy_sample(folder: Path, picture: Path) -> None:
    """Copy the last sample picture of a training."""
    for path in sorted((folder / "samples").glob("*.png"))[-1:]:
        shutil.copyfile(path, picture)


def measure_metric(options: argparse.Namespace) -> Rows:
    """Measure a step of the metric's training with random takes."""
    from asccl.metric.scc import SCCMetric
    from asccl.nets.iresnet import MAP_CHANNELS, IResNet

    settings = parse_settings(train_metric.MetricSettings, None, ["--preset", "smoke" if options.tiny else "paper"])
    size, takes = (32, (1,)) if options.tiny else (settings.size, (1, 4, 16))
    metric = SCCMetric(IResNet(18 if options.tiny else 50), MAP_CHANNELS)
    train_metric.freeze_unused_parameters(metric.backbone)
    objective = train_metric.MetricObjective(metric, settings).to(options.device)
    optimizer = torch.optim.Adam([p for p in metric.parameters() if p.requires_grad], settings.learning_rate)
    rng = torch.Generator(options.device).manual_seed(0)
    rows: Rows = {}
    for count in takes:
        shape = (count, 2, settings.frames_per_take, 3, size, size)
        images = torch.randint(0, 256, shape, dtype=torch.uint8, device=options.device)
        for precision in PRECISIONS:

            def step(precision=precision, images=images):
                with autocast(options.device, precision):
                    losses = objective(images, rng)
                optimizer.zero_grad(set_to_none=True)
                torch.stack(list(losses.values())).sum().backward()
                optimizer.step()

            pairs = count * settings.frames_per_take
            rows |= measure_rows(f"metric training, {pairs} pairs, {precision}", step, options.device, pairs, "pairs")
    return rows


SECTIONS: dict[str, Callable[[argparse.Namespace], Rows]] = {
    "loss": measure_loss,
    "renderer-inference": measure_renderer_inference,
    "renderer-training": train_renderer_on_clip,
    "icface": train_icface_on_synthetic_people,
    "metric": measure_metric,
}


def parse_options() -> argparse.Namespace:
    """Parse the command line that `benchmarks.gpu` writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section", choices=SECTIONS)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--inputs", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--tiny", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    chosen = parse_options()
    print(json.dumps(SECTIONS[chosen.section](chosen)))
