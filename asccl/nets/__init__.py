"""Networks that two or more packages share, and their use on numpy arrays (`inference`)."""
