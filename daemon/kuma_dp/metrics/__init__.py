"""Metrics of Envoy and of the applications behind it, as one answer to Prometheus."""
