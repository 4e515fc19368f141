"""Convert published checkpoints into our weights: `python -m asccl import-weights`. Start reading at kinds.py."""
