"""Policies that only Kong Mesh has: stored, judged and shown, without an effect on proxies yet."""
