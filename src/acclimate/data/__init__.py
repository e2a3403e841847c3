"""Examples in and out: files to domains and targets, what hides the test, hygiene, and packaged data."""
