"""The JSON Schemas, as data files: installed as ``gitsync.schemas``."""
