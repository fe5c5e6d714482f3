"""Calls between a global control plane and those of its zones: their bytes, served and made."""
