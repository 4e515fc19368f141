"""Directors decide what the face should do. Start reading at base.py and preset.py."""
