"""File in, file out: what the command line, Python, a server and a worker do; each verb plans and runs."""
