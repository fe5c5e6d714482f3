"""What policies of the older generation, and TrafficRoutes, make of proxies."""
