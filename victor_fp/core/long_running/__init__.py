"""Responses that take long: polling of predictions, and background responses."""
