"""Order: what an operator can start, and the command line that starts it."""
