"""Texts as Go writes and reads them: JSON, quotes, patterns, templates."""
