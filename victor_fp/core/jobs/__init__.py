"""Jobs as pure values and state machines: rows, decisions, concurrency, and ledger records."""
