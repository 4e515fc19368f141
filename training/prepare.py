"""Turn videos into clips that the trainings read: the face tracked, fitted and cropped, the sound as cepstra.

python -m training.prepare VIDEOS_OR_FOLDERS -o build/prepared --preset cpu
python -m training.prepare /data/MEAD/*/video/front -o /data/prepared --preset paper --ray auto
"""

from training.engine.settings import command
from training.preprocess.run import PrepareSettings, main

if __name__ == "__main__":
    command(main, PrepareSettings, __doc__)
