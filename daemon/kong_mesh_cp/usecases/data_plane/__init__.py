"""Proxies on their streams: who joins, what they are told, what is shown of them, and their end."""
