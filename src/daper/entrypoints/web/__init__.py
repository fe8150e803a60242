"""The console: where a person looks, decides and trusts; pages in a browser, and the same over JSON."""
