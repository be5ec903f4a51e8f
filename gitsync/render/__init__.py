"""A plan, a comparison or a report in, text or JSON out."""
