"""One script per claim of the documentation; each prints a table and a JSON line."""
