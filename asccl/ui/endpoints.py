"""What the page about the app's endpoints says of their parameters and outputs."""

from __future__ import annotations

from typing import Any

from asccl.zoo import DEFAULT_METRIC

FILE_EXAMPLE = "talk.mp4"
PARAMETERS = {  # by name
    "source": "The video or photo.",
    "emotion": "The emotion; reference takes that of the reference alone.",
    "reference": "A video or photo whose expression is copied; None for none.",
    "intensity": "0 to 2; 1 is natural.",
    "start": "Start of the edited part in seconds.",
    "end": "End of the edited part in seconds; 0 is the end of the video.",
    "face": "Number of the face, as listed by /faces; -1 is the largest.",
    "variant": "Number of the version of the emotion, 0 to 9.",
    "generator": "What makes the movement: warp (the table of emotions), ned or icface (networks).",
    "adapt": "Whether the edit is fitted to this face.",
    "expression": "JSON with second_emotion, second_share and groups; empty for none.",
    "keyframes": "JSON of [[seconds, intensity], ...]; empty for the same intensity at all times.",
    "badge": "Whether the result has a visible mark.",
    "consent": "Must be true: you may edit this face, and will deceive nobody.",
    "visit": "Leave it empty: it is the key by which the page finds its edit again.",
    "time": "The previewed moment in seconds.",
    "files": "Two or more videos whose names contain their emotions.",
    "generated": "The edited video or photo, or another take.",
    "pairing": "Which frames are compared: auto, time (an edit of the source), sound or mouth (another take).",
    "alignment": "How the two faces are brought to the same place: auto, place or landmarks.",
    "stride": "Every stride-th frame is compared; 0 chooses.",
    "metric": f"Name of the metric's weights; {DEFAULT_METRIC} is bundled.",
    "at": "Moment in the source, in seconds.",
    "at_generated": "Moment in the generated video, in seconds.",
}
OWN_PARAMETERS = {("/batch", "files"): "The videos and photos."}  # by endpoint and name
COMPARISON = (
    ("report", "All numbers, JSON."),
    ("similarities", "Table of the similarities, CSV."),
    ("frames", "Table with a row for each pair of frames, CSV."),
    ("status", "HTML for people."),
    ("charts", "What the page draws as charts."),
    ("face map", "What the page draws as a map of the face; None for several clips."),
    ("crops", "The two faces as images; None for several clips."),
    ("alignment", "The alignment that was used."),
    ("metric", "The metric that was used."),
)
PREVIEW = (("preview", "The frame before and after, as JPEG data URLs."), ("status", "HTML for people."))
RETURNS = {
    "/edit": (
        ("result", "The edited video or photo."),
        ("report", "The report, JSON."),
        ("status", "HTML for people."),
        ("entry", "The entry of the page's strip of results."),
    ),
    "/faces": (
        ("card", "Name, facts and first face of the file; None if it cannot be used."),
        ("faces", "A picture of each face, in the order of their numbers."),
        ("face", "Number of the chosen face."),
        ("time", "A moment that shows the face well, in seconds."),
        ("start", "Start of the video."),
        ("end", "End of the video."),
        ("status", "HTML for people; says what is wrong with the file."),
    ),
    "/preview": PREVIEW,
    "/adapted_preview": PREVIEW,
    "/batch": (
        ("zip", "All results, their reports and the table; None if no file could be edited."),
        ("table", "What became of each file, HTML."),
        ("status", "HTML for people."),
    ),
    "/compare": COMPARISON,
    "/compare_emotions": COMPARISON,
    "/moment": (
        ("face map", "What the page draws as a map of the face."),
        ("crops", "The two faces as images."),
        ("status", "HTML for people; empty without an error."),
    ),
}


def describe_endpoints(info: dict[str, Any]) -> dict[str, Any]:
    """Put our names and sentences into Gradio's description of the public endpoints.

    Gradio names an input after the label of its widget, which is a key of its translations, and describes its own
    classes of files.

    Args:
        info: from `gr.Blocks.get_api_info`; it is changed.

    Returns:
        The same object.
    """
    for endpoint, entry in info["named_endpoints"].items():
        for parameter in entry["parameters"]:
            name = parameter["parameter_name"]
            text = OWN_PARAMETERS.get((endpoint, name), PARAMETERS.get(name))
            if text is None:
                continue
            parameter["label"] = name
            parameter["python_type"]["description"] = text
            if parameter["component"] == "File":
                parameter["example_input"] = _file_example(parameter["example_input"])
            if name == "reference":
                parameter |= {"parameter_has_default": True, "parameter_default": None}
        for output, (label, text) in zip(entry["returns"], RETURNS.get(endpoint, ()), strict=False):
            output["label"] = label
            output["python_type"]["description"] = text
    return info


def _file_example(example: Any) -> Any:
    """The example of a file, or of several, without an address on another server."""
    if isinstance(example, list):
        return [_file_example(entry) for entry in example]
    return {**example, "path": FILE_EXAMPLE, "orig_name": FILE_EXAMPLE, "url": FILE_EXAMPLE}
