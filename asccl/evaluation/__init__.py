"""Metrics of the paper and of an edit."""
