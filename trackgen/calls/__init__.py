"""Tracks to calls."""
