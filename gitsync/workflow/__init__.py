"""What a workflow is: its document, canonical form, dependencies and references. Pure."""
