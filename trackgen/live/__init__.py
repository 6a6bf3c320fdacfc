"""Answers while a person looks: values of the visible region, edited bases, single-base changes."""
