"""The interpreter: runs a definition as the product's runtime does, without the product."""
