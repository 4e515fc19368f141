"""Renderers turn the motion of an edit into frames."""
