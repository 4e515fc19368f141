"""The paper's ablations (Tables 4 to 6): what `training.ablate` trains, shows and measures."""
