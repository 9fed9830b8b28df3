"""Run the command line with `python -m vqclip_nb`."""

from vqclip_nb.cli import main

raise SystemExit(main())
