"""The tests: unit, property, integration and e2e, and what they share in support."""
