"""The server that Prometheus asks which proxies it is to scrape."""
