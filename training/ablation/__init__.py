"""The paper's ablations (Tables 4 to 6): design, test cases, metrics and report of `training.ablate`."""
