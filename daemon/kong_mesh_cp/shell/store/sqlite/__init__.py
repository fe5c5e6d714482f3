"""The store in one SQLite file of this machine."""
