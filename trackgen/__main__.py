"""``python -m trackgen``: the same as the command ``trackgen``."""

from trackgen.cli.main import main

if __name__ == "__main__":
    main()
