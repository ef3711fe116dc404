"""The command of OpenPersonalize as ``python -m openpersonalize``."""

from .cli.main import main

if __name__ == "__main__":
    main(prog_name="openpersonalize")
