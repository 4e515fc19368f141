"""Edit the paper's test clips with several methods, measure the edits, and print Tables 1 and 2 beside the paper's.

    python -m training.tables --data mead --root /data/MEAD --methods warp,ned,ned+asccl --weights build/methods
    python -m training.tables --data ravdess --root /data/RAVDESS --ray auto        # on a cluster
    python -m training.tables --data panels --root published --methods warp         # the authors' four-panel clips

Methods: warp (directed by the reference), warp-preset (by the name of the emotion), ned-warp (NED's manipulator,
rendered by warping), ned and ned+asccl (which need --weights DIR with ned/SPEAKER.safetensors,
ned+asccl/manipulator.safetensors and ned+asccl/SPEAKER.safetensors), icface and icface+asccl (which need
icface/icface.safetensors and icface+asccl/icface.safetensors there). A method whose files are missing is marked. A
stopped run continues with the same command.
"""

from training.engine.settings import run_command
from training.evaluation.tables import TablesSettings, main

if __name__ == "__main__":
    run_command(main, TablesSettings, __doc__)
