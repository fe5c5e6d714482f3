"""Envoy's admin API, over the admin listeners of proxies."""
