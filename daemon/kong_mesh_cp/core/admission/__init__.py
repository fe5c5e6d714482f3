"""Admission: who asks for which seat, who may have it, and who holds it."""
