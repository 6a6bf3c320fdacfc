"""Tests of what the world does to a run: kills, full disks, vanished folders, signals."""
