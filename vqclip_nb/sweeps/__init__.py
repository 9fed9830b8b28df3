"""Many runs: grids of settings, several workers, pages of pictures. Built on `run`."""
