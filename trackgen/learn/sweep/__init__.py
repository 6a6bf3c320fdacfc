"""Architectures against data sets: a search for each pair, trainings from several seeds, a report."""
