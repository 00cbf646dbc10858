"""The client: what people type."""
