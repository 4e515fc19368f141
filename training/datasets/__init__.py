"""Data sets of the trainings: synthetic and recorded windows, takes and portraits."""

HELD_OUT_SEED_OFFSET = 1_000_000  # added to the seed of the synthetic data that are not trained on
