"""Preparation of videos: `training.prepare`."""
