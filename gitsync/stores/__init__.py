"""The places that hold workflows: repository, database, bundle."""
