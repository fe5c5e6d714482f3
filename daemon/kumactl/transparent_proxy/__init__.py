"""Sends the traffic of a machine through its proxy: rules for iptables, and what applies them."""
