"""Generated stubs; protos/generate.py writes them."""
