"""What the kernel grants and refuses to the agent itself."""
