"""Turn videos into a folder that the trainings read: tracked crops, coefficients, poses, sound, labels and a manifest.

    python -m training.prepare VIDEOS_OR_FOLDERS -o build/prepared --preset cpu
    python -m training.prepare /data/MEAD/*/video/front -o /data/prepared --preset paper --ray auto

A stopped or killed run continues with the same command; finished clips are kept. Person and emotion are read from file
names of MEAD and RAVDESS; for other videos give --labels. Videos that cannot be used are listed in failed.jsonl, and
the others continue. docs/training.md has the details.
"""

from training.engine.settings import run_command
from training.preprocess.run import PrepareSettings, main

if __name__ == "__main__":
    run_command(main, PrepareSettings, __doc__)
