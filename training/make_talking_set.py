"""Render synthetic speakers with speech in the layout of MEAD or RAVDESS, to try the paper's protocol without the data.

    python -m training.make_talking_set -o build/talking --layout mead
    python -m training.tables --data mead --root build/talking

It needs eSpeak NG (`apt-get install espeak-ng`), whose phonemes move the lips: the true timing of lips and sound, and
the emotion of every clip, are known. A stopped run continues with the same command.
"""

from training.engine.settings import run_command
from training.evaluation.talking_set import TalkingSetSettings, main

if __name__ == "__main__":
    run_command(main, TalkingSetSettings, __doc__)
