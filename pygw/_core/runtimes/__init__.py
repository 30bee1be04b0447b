"""Languages of hooks, one module each; imported when a first plan needs it."""
