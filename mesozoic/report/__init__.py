"""What a training came to, for people: curves, and a report in one file."""
