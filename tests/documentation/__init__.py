"""Tests of the documentation: its programs run, its links lead somewhere, its reference is complete."""
