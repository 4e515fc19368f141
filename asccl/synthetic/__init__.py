"""Synthetic speakers, rendered from the bundled head, whose identity, words, emotion and landmarks are known."""
