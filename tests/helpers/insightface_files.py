"""A stand-in for an InsightFace pack: ONNX files with the names, inputs and outputs of `buffalo_l`, without training.

The detector reports one face around the brightest pixels of the image; the recognition network averages colours.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

STRIDES = (8, 16, 32)
ANCHORS = 2  # per location
SIDE = 640  # pixels
# of the face that is reported, in pixels of a 640-pixel input: box, then eyes, nose and corners of the mouth
BOX = (160.0, 80.0, 480.0, 480.0)
POINTS = ((240.0, 220.0), (400.0, 220.0), (320.0, 300.0), (260.0, 380.0), (380.0, 380.0))
SCORE = 0.9


def write_pack(root: Path, name: str = "buffalo_l") -> Path:
    """Write `root/models/name` with det_10g.onnx and w600k_r50.onnx. Returns `root`."""
    folder = root / "models" / name
    folder.mkdir(parents=True)
    _write_detector(folder / "det_10g.onnx")
    _write_recognition(folder / "w600k_r50.onnx")
    return root


def _write_detector(path: Path) -> None:
    """Nine outputs: scores, distances to the sides of the box and points, for each stride; constant."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, outputs, constants = [], [], []
    for kind, width in (("score", 1), ("bbox", 4), ("kps", 10)):
        for stride in STRIDES:
            rows = (SIDE // stride) ** 2 * ANCHORS
            values = np.zeros((rows, width), np.float32)
            if stride == STRIDES[-1]:
                values[_centre_row(stride)] = _prediction(kind, stride)
            name = f"{kind}_{stride}"
            constants.append(numpy_helper.from_array(values, f"{name}_values"))
            nodes.append(helper.make_node("Add", [f"{name}_values", "nothing"], [name]))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, width]))
    axes = numpy_helper.from_array(np.array(0.0, np.float32), "zero")
    nodes = [
        helper.make_node("ReduceMean", ["input.1"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        *nodes,
    ]
    size = [1, 3, "?", "?"]
    inputs = [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, size)]
    _save(helper.make_graph(nodes, "detector", inputs, outputs, [axes, *constants]), path)


def _centre_row(stride: int) -> int:
    cells = SIDE // stride
    return (cells // 2 * cells + cells // 2) * ANCHORS


def _prediction(kind: str, stride: int) -> np.ndarray:
    centre = float(SIDE // stride // 2 * stride)
    if kind == "score":
        return np.array([SCORE], np.float32)
    if kind == "bbox":
        x0, y0, x1, y1 = BOX
        return np.array([centre - x0, centre - y0, x1 - centre, y1 - centre], np.float32) / stride
    return (np.array(POINTS, np.float32).ravel() - centre) / stride


def _write_recognition(path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(0).normal(size=(3, 512)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["input.1"], ["colour"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["colour", "weights"], ["683"]),
    ]
    inputs = [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["None", 3, 112, 112])]
    outputs = [helper.make_tensor_value_info("683", TensorProto.FLOAT, [1, 512])]
    _save(helper.make_graph(nodes, "recognition", inputs, outputs, [numpy_helper.from_array(weights, "weights")]), path)


def _save(graph: object, path: Path) -> None:
    import onnx
    from onnx import helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
