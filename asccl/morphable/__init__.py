"""The 3D head model: its fit to a track, its rendering, and the emotions in its units."""
