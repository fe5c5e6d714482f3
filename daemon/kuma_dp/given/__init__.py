"""What is given to `kuma-dp`: flags, variables, a Dataplane, a token."""
