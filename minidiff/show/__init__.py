"""Pictures of results: `pixels` (PNG, without matplotlib), `plots` (figures) and `widgets` (things to move by hand)."""
