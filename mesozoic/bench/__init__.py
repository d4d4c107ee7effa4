"""Speed measurements: rates of one machine in one run, meant to be read as ratios."""
