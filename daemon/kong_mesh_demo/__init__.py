"""A mesh to look at: a control plane, two services behind real Envoys, a client (docs/demo.md)."""
