"""Names for the indices of FaceMesh's 468 landmarks and 10 iris landmarks. Right and left are the person's own.

Index lists follow the drawing tables of MediaPipe FaceMesh (Apache-2.0).
"""

from __future__ import annotations

import numpy as np

NUM_FACE_LANDMARKS = 468  # without irises
NUM_LANDMARKS = 478  # with irises

# from the right corner of the mouth to the left, without the corners
UPPER_INNER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_INNER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
UPPER_OUTER_LIP = (185, 40, 39, 37, 0, 267, 269, 270, 409)
LOWER_OUTER_LIP = (146, 91, 181, 84, 17, 314, 405, 321, 375)
INNER_LIP_CORNERS = (78, 308)
OUTER_LIP_CORNERS = (61, 291)
INNER_LIPS = (INNER_LIP_CORNERS[0], *UPPER_INNER_LIP, INNER_LIP_CORNERS[1], *LOWER_INNER_LIP[::-1])  # a closed loop
OUTER_LIPS = (OUTER_LIP_CORNERS[0], *UPPER_OUTER_LIP, OUTER_LIP_CORNERS[1], *LOWER_OUTER_LIP[::-1])  # a closed loop
LIPS = OUTER_LIPS + INNER_LIPS
LIP_GAP_PAIRS = ((82, 87), (13, 14), (312, 317))  # upper and lower inner lip

RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)  # a closed loop
LEFT_EYE = (
    263,
    249,
    390,
    373,
    374,
    380,
    381,
    382,
    362,
    398,
    384,
    385,
    386,
    387,
    388,
    466,
)  # a closed loop, in mirrored order
RIGHT_IRIS = (468, 469, 470, 471, 472)  # centre first
LEFT_IRIS = (473, 474, 475, 476, 477)
EYES = (RIGHT_EYE, LEFT_EYE)
EYES_AND_IRISES = ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS))
EYE_CORNERS = (33, 133, 362, 263)
OUTER_EYE_CORNERS = (33, 263)

RIGHT_BROW_TOP, RIGHT_BROW_LOW = (70, 63, 105, 66, 107), (46, 53, 52, 65, 55)  # outer end first
LEFT_BROW_TOP, LEFT_BROW_LOW = (300, 293, 334, 296, 336), (276, 283, 282, 295, 285)
BROW_ROWS = ((RIGHT_BROW_TOP, RIGHT_BROW_LOW), (LEFT_BROW_TOP, LEFT_BROW_LOW))
BROWS = RIGHT_BROW_TOP + RIGHT_BROW_LOW + LEFT_BROW_TOP + LEFT_BROW_LOW

# outline of the face, a closed loop
FACE_OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
NOSE_TIP = 1
LOWER_NOSE = 2  # where the nose meets the upper lip
# hardly moved by any expression; used for the head pose
RIGID_LANDMARKS = (
    *(1, 4, 5, 6, 168, 197, 195, 33, 133, 362, 263, 10, 151, 9, 8, 127, 356, 234, 454, 93, 323),
    *(98, 327, 2, 193, 417, 122, 351, 196, 419),
)
# for a similarity between two images of one face: eye corners and the ridge of the nose
ALIGNMENT_LANDMARKS = (*EYE_CORNERS, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327)

# positions of `arcface_points` in ArcFace's 112-pixel crop (Deng et al., CVPR 2019)
ARCFACE_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def eye_distance(landmarks: np.ndarray) -> np.ndarray:
    """Distance (...) of the outer eye corners in the image plane, of landmarks (..., 468+, 2+) in pixels."""
    a, b = OUTER_EYE_CORNERS
    return np.linalg.norm(landmarks[..., a, :2] - landmarks[..., b, :2], axis=-1)


def lip_gap(landmarks: np.ndarray) -> np.ndarray:
    """Mean inner-lip opening (...) over the eye distance, of landmarks (..., 468+, 2+); below 0.03 lips are closed."""
    upper, lower = np.array(LIP_GAP_PAIRS).T
    gap = np.linalg.norm(landmarks[..., upper, :2] - landmarks[..., lower, :2], axis=-1).mean(-1)
    return gap / eye_distance(landmarks)


def arcface_points(landmarks: np.ndarray) -> np.ndarray:
    """Eye centres (right, left), nose tip, mouth corners (right, left), (..., 5, 2), of landmarks (..., 468+, 2+)."""
    xy = landmarks[..., :2]
    eyes = [xy[..., RIGHT_EYE, :].mean(-2), xy[..., LEFT_EYE, :].mean(-2)]
    return np.stack(
        [*eyes, xy[..., NOSE_TIP, :], xy[..., OUTER_LIP_CORNERS[0], :], xy[..., OUTER_LIP_CORNERS[1], :]], -2
    )
