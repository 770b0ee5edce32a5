"""One file a job: arrays in, arrays out; joins a model to the runtime."""
