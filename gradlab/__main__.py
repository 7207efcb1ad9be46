"""`python -m gradlab`: the command, where its script is not on the path."""

from gradlab.command import main

if __name__ == "__main__":
    main()
