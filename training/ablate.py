"""Run the paper's ablations (Tables 4 to 6): train NED with and without ASCCL, and measure edits whose truth is known.

    python -m training.ablate --preset cpu       # hours of one core, in parts
    python -m training.ablate --preset cpu --part report   # of what is finished
    python -m training.ablate --preset smoke     # a functional test of one or two minutes
    python -m training.ablate --preset paper --data build/mead --person M003

A part is one network. Stop the run (Ctrl-C, SIGTERM, even SIGKILL) at any moment: the same command continues, every
finished network and every measured row is kept, and a training resumes from its checkpoint. --part runs manipulators or
renderers alone. --output holds scores.jsonl, table.md and chart.png of what is finished.
"""

from training.ablation.run import AblateSettings, main
from training.engine.settings import run_command

if __name__ == "__main__":
    run_command(main, AblateSettings, __doc__)
