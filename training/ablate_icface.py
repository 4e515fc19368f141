"""Train ICface with and without ASCCL over several seeds, and measure people whose truth is known.

    python -m training.ablate_icface                       # about ten minutes of a shared core
    python -m training.ablate_icface --recipe gpu --part train --seeds 8 --jobs 16 --seconds 125   # on a GPU
    python -m training.ablate_icface --recipe gpu --seeds 8       # the rest, also on another machine without a GPU
    python -m training.ablate_icface --recipe smoke --seeds 2 --people 1 --frames 4 --output build/smoke-ablation-icface

A stopped or killed run continues with the same command: networks in the folder networks of --output are not trained
again. At the end --output holds scores.jsonl and table.md.
"""

from training.ablation.icface import main
from training.ablation.icface_networks import AblateIcfaceSettings
from training.engine.settings import run_command

if __name__ == "__main__":
    run_command(main, AblateIcfaceSettings, __doc__)
