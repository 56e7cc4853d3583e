"""From where data is to a stream of rows: files of every format, addresses, databases, functions."""
