"""Vendors' batch APIs: what is submitted, what comes back, and how results find their rows."""
