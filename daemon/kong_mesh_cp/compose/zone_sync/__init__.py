"""Zones and their global control plane: what each side of them is made of."""
