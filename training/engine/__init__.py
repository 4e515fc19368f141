"""Engine of all trainings: loop, settings, data loader, distribution, checkpoints and weight files."""
