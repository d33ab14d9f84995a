"""Jobs as pure values and machines: rows, what to do with each, concurrency, and the records of a ledger."""
