"""What is counted of the records of a complete stage, for `counts.md` and the HTML report."""
