"""A server as a store: the product, or gitsync itself, over HTTP."""
