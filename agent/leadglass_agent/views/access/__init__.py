"""Explains whether a process may use a path: the rules of the kernel as an engine, and the look at the files."""
