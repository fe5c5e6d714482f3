"""Tokens, signing keys, roles and the audit."""
