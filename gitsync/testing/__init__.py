"""The tests of workflows: files, cases, expectations, coverage."""
