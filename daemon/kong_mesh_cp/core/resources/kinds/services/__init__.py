"""Services by a name of their own, inside and outside of the mesh."""
