"""Error classification: maps error responses, error events and wrapped upstream errors to faults."""
