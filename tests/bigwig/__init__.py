"""Tests of trackgen.bigwig."""
