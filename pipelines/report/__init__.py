"""A page that a person looks at after a run: one HTML file that needs no network, no script and no second file."""
