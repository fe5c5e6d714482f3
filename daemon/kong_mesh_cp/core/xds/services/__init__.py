"""Services: by their tags, and those that are resources; what is behind them."""
