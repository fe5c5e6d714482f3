"""Connections before anybody speaks: accept, limits, TLS, drain, who the peer is."""
