"""Say in a file that it was edited, in metadata and in a signed C2PA manifest, and read both again.

Start at `signer.py` (writes) and `inspection.py` (reads).
"""
