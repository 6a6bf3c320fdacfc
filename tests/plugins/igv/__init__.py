"""The igv.js module."""
