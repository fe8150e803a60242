"""What `daper doctor` looks at, for every door that shows it: each check says what it found, and the way out."""
