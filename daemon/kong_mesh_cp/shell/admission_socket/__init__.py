"""The local socket where processes ask for a seat and hold it."""
