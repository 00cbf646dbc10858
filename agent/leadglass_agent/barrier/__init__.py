"""The known-value barrier: what the pod's environments and secret mounts hold never leaves, however it is written."""
