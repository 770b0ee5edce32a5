"""Faces found, brought upright, restored, and put back where they were."""
