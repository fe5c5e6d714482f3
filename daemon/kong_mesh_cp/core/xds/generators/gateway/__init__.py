"""What a builtin gateway is told: the plan of its listeners in the words of Envoy."""
