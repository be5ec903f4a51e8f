"""Factories that the tests share: real git repositories and a real PostgreSQL server."""
