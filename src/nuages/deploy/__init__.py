"""Where it runs: documents for Kubernetes, Compose and systemd that agree with the server's settings."""
