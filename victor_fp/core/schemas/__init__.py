"""JSON Schemas of callers: normalised to JSON Schema's own words, and converted to what a vendor accepts."""
