"""The control plane daemon; `docs/` and the README hold the map."""

__version__ = "0.1.0"
