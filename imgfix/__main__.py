"""`python -m imgfix` (and `torchrun -m imgfix`) run the command line."""

from imgfix.cli import main

if __name__ == "__main__":
    main()
