"""Deployed models behind HTTP and gRPC. Reads the registry; the log of predictions is all that it writes."""
