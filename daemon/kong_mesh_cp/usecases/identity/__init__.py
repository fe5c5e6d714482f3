"""Who somebody is and may do: tokens, signing keys, roles, the audit."""
