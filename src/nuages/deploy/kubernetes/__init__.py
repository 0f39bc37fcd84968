"""Documents for Kubernetes."""
