"""What Envoys are told: the configuration of one proxy, from the resources of its mesh."""
