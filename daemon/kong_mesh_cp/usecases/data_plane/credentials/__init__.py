"""What proxies and their control plane prove themselves with: authorities, identities, the admin's pair."""
