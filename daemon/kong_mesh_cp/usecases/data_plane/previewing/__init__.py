"""What writes would do to proxies, before anything is written."""
