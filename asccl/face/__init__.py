"""Faces in images and clips: detection, landmarks, tracking, crops and visibility. Start at tracker.py."""
