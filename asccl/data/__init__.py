"""Real clips: prepared folders, labels of MEAD and RAVDESS, and pairing of takes."""
