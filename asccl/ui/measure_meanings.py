"""What each measure of an evaluation says, in one line for people who do not know its name."""

from __future__ import annotations

MEASURE_MEANINGS = {  # by the names of `asccl.evaluation.registry.MEASURES`
    "fad-mobilefacenet": "Distance of all generated faces to all real ones",
    "fad-mobilefacenet-unit": "The same distance, whatever the contrast of the faces",
    "fad-paper": "The same distance with the network of the paper's authors",
    "fad-arcface": "The same distance with ArcFace",
    "csim": "Likeness of the expression to that of the reference",
    "csim-paper": "The same likeness with the network of the paper's authors",
    "target-probability": "How surely a network recognizes the wanted emotion",
    "expression-gain": "How far the expression moved from the source to the reference",
    "lse-d-group": "Distance of lips and sound, as the paper's authors measure it",
    "lse-c-group": "How clearly lips and sound belong together, as the paper's authors measure it",
    "lse-d-standard": "Distance of lips and sound, as SyncNet measures it",
    "lse-c-standard": "How clearly lips and sound belong together, as SyncNet measures it",
    "lip-correlation": "Whether the lips open and close as in the source",
    "lip-distance": "How far the lips are from those of the source, in percent of the eye distance",
    "closures-kept": "How often the lips are closed where those of the source are",
    "mouth-width": "Whether the mouth gets wide and narrow as in the source",
    "phone-closures": "How often the lips touch at p, b and m",
    "av-agreement": "How well the mouth follows the sound",
    "mouth-flow": "Whether the skin around the mouth moves as in the source",
    "scc": "The paper's correlation of local movement with the source",
    "identity": "Whether face recognition sees the person of the source",
    "flicker": "Unrest of the colours; 1 as in the source",
    "jitter": "Unrest of the shape; 1 as in the source",
    "sharpness": "Sharpness of the face; 1 as in the source",
    "background-change": "Change outside the face; 0 is none",
}
