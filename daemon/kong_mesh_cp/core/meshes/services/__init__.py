"""Services with names of their own: those that are made, statuses, addresses, host names."""
