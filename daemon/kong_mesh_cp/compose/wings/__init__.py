"""What clients meet of a control plane, wing by wing: its servers and what belongs to them."""
