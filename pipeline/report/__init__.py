"""The report of a run: one self-contained HTML file, and the card of its data set."""
