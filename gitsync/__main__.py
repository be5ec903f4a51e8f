"""The way in: Ctrl-C is heeded before anything that takes time is imported."""

from gitsync.cli.interrupt import heed


def main() -> None:
    """Run the command line of this process."""
    heed()
    from gitsync.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
