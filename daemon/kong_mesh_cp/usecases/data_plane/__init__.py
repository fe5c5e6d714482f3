"""Proxies on ADS: how they join, what they are told, with which certificates."""
