"""Measure how well a generated video keeps local facial movement: eq. 1 of the paper for two videos or stills."""
