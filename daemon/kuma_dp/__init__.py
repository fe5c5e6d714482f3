"""Runs Envoy as a data plane proxy: gets its configuration, watches it, and serves beside it."""
