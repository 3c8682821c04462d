"""Tables on disk: one file per noun, each with the queries of that noun."""
