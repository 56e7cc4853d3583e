"""From a look at the data to the files of a new problem: what the columns are, what to beware of, what is written."""
