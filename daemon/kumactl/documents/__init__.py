"""Manifests: where they come from, what they say, how they differ from what is there."""
