"""Tests of the documentation: its programs run, its links have targets, its reference is complete."""
