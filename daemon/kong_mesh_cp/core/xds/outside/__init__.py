"""Services outside of the mesh."""
