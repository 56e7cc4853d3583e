"""Work: a verb a file (fetch, validate, split, ...), then the nouns that they share (problem, records, store, ...)."""
