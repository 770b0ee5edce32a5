"""Network architectures: plain modules, one a file, no file access."""
