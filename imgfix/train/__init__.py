"""Training: the loop, its data, degradations, masks, losses and recipes."""
