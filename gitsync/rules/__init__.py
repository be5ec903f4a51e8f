"""The rules that a workflow's file is judged by; those that share a walk stand together."""
