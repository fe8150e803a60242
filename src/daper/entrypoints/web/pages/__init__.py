"""The pages of the console; each is a module with its routes."""
