"""Followers of the store's changes."""
