"""Protocols of what the use cases need from outside."""
