"""Envoy's messages, and how this product's parts of them look. The only importer of protobuf."""
