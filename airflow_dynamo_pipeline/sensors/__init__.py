"""Preconditions: each decides by one pure function, in poke and deferrable mode alike."""
