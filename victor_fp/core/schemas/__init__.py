"""JSON Schemas of callers: normalised to JSON Schema 2020-12, and converted to what a vendor accepts."""
