"""Near and far: what other zones offer, and which endpoints come first."""
