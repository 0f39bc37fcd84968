"""Findings about a project that is to run in production, each with an id, its origin and one exact fix."""
