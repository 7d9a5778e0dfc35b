"""Results of runs as tables and as one page."""
