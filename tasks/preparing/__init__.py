"""Transformers that make features, each fitted inside cross-validation with the estimator that reads it."""
