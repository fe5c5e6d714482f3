"""What a mesh is made with, may change, and takes as members."""
