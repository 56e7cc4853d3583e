"""Truth: one Great Expectations suite a problem, each expectation with its reason (``notes``) and its severity."""
