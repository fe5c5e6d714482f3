"""Which proxies Prometheus is to scrape, and where."""
