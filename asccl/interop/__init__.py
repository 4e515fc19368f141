"""Weights that others trained, made ours: `python -m asccl import-weights`. Start reading at kinds.py."""
