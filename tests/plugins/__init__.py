"""Tests of what a browser or a pipeline loads."""
