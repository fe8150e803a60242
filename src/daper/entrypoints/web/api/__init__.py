"""The API: what the console does, for programs, as JSON under one path; one table makes its routes and its document."""
