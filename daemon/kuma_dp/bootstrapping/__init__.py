"""What Envoy is started with: asked of the control plane, trusted, read."""
