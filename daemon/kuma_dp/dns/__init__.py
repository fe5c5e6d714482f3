"""Names of the mesh, which Envoy knows, and all other names, which the machine's servers know."""
