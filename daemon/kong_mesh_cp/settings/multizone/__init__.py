"""Settings of a deployment of several zones, and of the part of this control plane in it."""
