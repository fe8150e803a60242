"""The console in a real browser, and over plain HTTP, on a shop with its worker."""
