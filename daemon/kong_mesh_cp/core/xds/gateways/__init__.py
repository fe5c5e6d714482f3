"""Builtin gateways: proxies at the edge of a mesh that take traffic for the mesh itself."""
