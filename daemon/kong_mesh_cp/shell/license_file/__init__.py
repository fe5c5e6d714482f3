"""Reads license sources safely and watches them for changes."""
