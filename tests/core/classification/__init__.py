"""Tests of the classification of errors."""
