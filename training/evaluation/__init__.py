"""Tables 1 and 2 of the paper: test edits of every method, and synthetic recordings in the layout of the data sets."""
