"""Which rows go where: units that stay together, strata, times, and the order in which rows are written."""
