"""The database: connection, what its schema looks like, rows and documents, the ledger."""
