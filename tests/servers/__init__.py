"""Real mail servers, started privately on loopback for one test run."""
