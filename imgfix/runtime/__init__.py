"""Device, precision, memory and tiles: how a model is run."""
