"""Why proxies are configured as they are, and what a change would do to them."""
