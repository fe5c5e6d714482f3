"""What is observed of proxies and counted over a mesh, as values."""
