"""What operators ask about meshes and proxies."""
