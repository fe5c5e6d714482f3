"""Asks applications whether they are well, for who cannot reach them past the proxy."""
