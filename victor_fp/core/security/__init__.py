"""Secrets and their redaction."""
