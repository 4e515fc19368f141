"""The paper's ablations (Tables 4 to 6): what `training.ablation.run` trains, shows and measures."""
