"""The HTTP service: the product's own import, export and reading API, over the database side."""
