"""Training of the networks; imports asccl, never the reverse."""
