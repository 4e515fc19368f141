"""Train and score every row of the paper's ablations (Tables 4 to 6).

python -m training.ablate --preset cpu       # under two hours on two cores
python -m training.ablate --preset smoke     # a functional test of one or two minutes
python -m training.ablate --preset paper --data build/mead --person M003
"""

from training.ablation.run import AblateSettings, main
from training.engine.settings import command

if __name__ == "__main__":
    command(main, AblateSettings, __doc__)
