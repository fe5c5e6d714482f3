"""Envoy: its executable, its process, what it logs, its admin interface."""
