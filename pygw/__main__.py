"""`python -m pygw`: the same as the `pygw` command. Runs in the main process and owns nothing;
read `cli` next."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="pygw")
