"""Whether what is said is kept: similarity of corresponding regions (eq. 1) between two videos or stills."""
