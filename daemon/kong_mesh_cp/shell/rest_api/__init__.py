"""The HTTP API on 5681."""
