"""Data sets of the trainings: synthetic and recorded windows, takes and portraits."""
