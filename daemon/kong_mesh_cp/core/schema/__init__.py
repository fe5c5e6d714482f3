"""How the members of a resource are declared, read, checked and described."""
