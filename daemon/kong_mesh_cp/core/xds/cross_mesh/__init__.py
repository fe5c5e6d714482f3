"""Gateways of one mesh that others call."""
