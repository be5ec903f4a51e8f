"""Places that hold workflows: git, a database, a server, a bundle, a folder."""
