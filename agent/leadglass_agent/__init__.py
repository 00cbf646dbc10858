"""The Leadglass sidecar: approved, masked, audited read views of the containers of its pod."""
