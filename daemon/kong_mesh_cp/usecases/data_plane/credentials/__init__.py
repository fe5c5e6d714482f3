"""What proxies prove themselves with: authorities, identities, the pair for their admin."""
