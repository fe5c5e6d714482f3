"""Who somebody is, how that is proven, and what they may do: tokens, keys, access, secrets."""
