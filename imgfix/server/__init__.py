"""Ways to keep the pipelines running, with their models loaded: a folder that is watched."""
