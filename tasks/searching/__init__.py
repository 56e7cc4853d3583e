"""The search for a candidate: what is tried, in which order, and when it ends."""
