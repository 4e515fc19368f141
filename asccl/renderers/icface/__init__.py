"""ICface: one network removes pose and expression from a face, another gives it those of 20 control values."""
