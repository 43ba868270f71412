"""Scores against gold: labels, KeyInfo, phrases; agreement, intervals, paired tests."""
