"""Measures of picture quality, each with its protocol."""
