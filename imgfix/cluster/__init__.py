"""Pipelines spread over many workers: the same orders, results and refusals, on other processes and machines."""
