"""What proxies are told: the worlds of their meshes, whom a change concerns, and when."""
