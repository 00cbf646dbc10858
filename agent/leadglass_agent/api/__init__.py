"""The gRPC surface: server, method table, gate and messages."""
