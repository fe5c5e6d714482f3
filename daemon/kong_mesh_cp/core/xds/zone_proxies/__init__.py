"""Zone proxies: the egress and the ingress of a zone, which serve all meshes."""
