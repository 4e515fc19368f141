"""The embedded renderer: it warps and shades the source frame, without training."""
