"""What happens in which order; holds the state, opens nothing."""
