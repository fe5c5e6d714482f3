"""Texts as Go, RFCs, Prometheus and Envoy write them; nothing here knows of resources."""
