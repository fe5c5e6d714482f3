"""What a proxy is started with: its request, and the first configuration of its Envoy."""
