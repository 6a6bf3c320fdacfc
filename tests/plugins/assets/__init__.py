"""The installer of third-party browser code."""
